//! Requests without end for a while: Debian's `wrk`, which costs less of the shared cores than
//! anything of ours would.

use std::time::Duration;

use grantkeep_torture::trouble::{Doing, Result, Trouble};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

/// What wrk's script says at its end goes after this word.
const MARK: &str = "RESULT ";

/// A request, sent again and again on each connection.
#[derive(Clone, Debug)]
pub struct Shot {
    /// `http://127.0.0.1:port`
    pub url: String,
    pub method: &'static str,
    /// The path. `{}` in it becomes a number below `count`, another each time.
    pub path: String,
    pub count: u64,
    pub headers: Vec<(String, String)>,
    pub body_bytes: usize,
    /// Sent in the place of such bytes.
    pub json: Option<String>,
}

/// What came of one round.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Round {
    pub per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
}

#[derive(Deserialize)]
struct Said {
    requests: f64,
    micros: f64,
    p50: f64,
    p99: f64,
    bad: u64,
}

/// The numbers of clones, as [`crate::clones`] writes them.
pub const DIGITS: usize = 14;

impl Shot {
    /// Lua for wrk. Nothing in it comes from outside this program.
    fn script(&self) -> String {
        let mut headers = String::new();
        for (name, value) in &self.headers {
            headers.extend([name.as_str(), ": ", value, "\\r\\n"]);
        }
        let length = match &self.json {
            Some(text) => {
                format!("Content-Type: application/json\\r\\nContent-Length: {}\\r\\n", text.len())
            }
            None if self.body_bytes > 0 => format!("Content-Length: {}\\r\\n", self.body_bytes),
            None => String::new(),
        };
        let body = match &self.json {
            Some(text) => format!("'{text}'"),
            None => format!("string.rep('x', {})", self.body_bytes),
        };
        let (before, after) = self.path.split_once("{}").unwrap_or((&self.path, ""));
        let number = if self.path.contains("{}") {
            format!("string.format('%0{DIGITS}d', math.random(0, {}))", self.count - 1)
        } else {
            "''".to_owned()
        };
        let host = self.url.trim_start_matches("http://");
        let method = self.method;
        format!(
            "local head = '{method} {before}'\n\
             local tail = '{after} HTTP/1.1\\r\\nHost: {host}\\r\\n{headers}{length}\\r\\n' \
             .. {body}\n\
             local nth = 0\n\
             function setup(thread) nth = nth + 1; thread:set('seed', nth) end\n\
             function init(args) math.randomseed(os.time() * 7 + seed) end\n\
             function request() return head .. {number} .. tail end\n\
             function done(summary, latency, requests)\n\
             local e = summary.errors\n\
             io.write(string.format('{MARK}{{\"requests\":%d,\"micros\":%d,\"p50\":%d,\"p99\":%d,\
             \"bad\":%d}}\\n', summary.requests, summary.duration, latency:percentile(50), \
             latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))\n\
             end\n"
        )
    }

    /// Fires for so long over so many connections.
    ///
    /// # Errors
    /// Any answer that is none, or not a good one.
    pub async fn fire(&self, connections: u32, time: Duration) -> Result<Round> {
        let script = tempfile::Builder::new().suffix(".lua").tempfile().doing("a script")?;
        std::fs::write(script.path(), self.script()).doing("a script")?;
        let threads = connections.min(2).to_string();
        let output = Command::new("wrk")
            .args(["-t", &threads, "-c", &connections.to_string(), "--timeout", "30s"])
            .args(["-d", &format!("{}s", time.as_secs().max(1)), "-s"])
            .arg(script.path())
            .arg(&self.url)
            .kill_on_drop(true)
            .output();
        let output = output.await.doing("cannot start wrk (Debian's package `wrk`)")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find_map(|it| it.strip_prefix(MARK));
        let line = line.ok_or_else(|| {
            Trouble(format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)))
        })?;
        let said: Said = serde_json::from_str(line).doing("wrk's result")?;
        if said.bad > 0 {
            return Err(Trouble(format!(
                "{} of {} answers are bad: {}",
                said.bad, said.requests, self.path
            )));
        }
        Ok(Round {
            per_second: said.requests / said.micros * 1e6,
            p50_us: said.p50,
            p99_us: said.p99,
        })
    }
}

/// Fires at all of them in turns, so that what disturbs the machine disturbs all; the median round
/// of each.
pub async fn side_by_side(
    shots: &[&Shot],
    connections: u32,
    rounds: usize,
    time: Duration,
) -> Result<Vec<Round>> {
    let mut all = vec![Vec::new(); shots.len()];
    for shot in shots {
        shot.fire(connections, Duration::from_secs(1)).await?;
    }
    for _ in 0..rounds {
        for (shot, rounds) in shots.iter().zip(&mut all) {
            rounds.push(shot.fire(connections, time).await?);
        }
    }
    Ok(all.iter().map(|rounds| median_round(rounds)).collect())
}

fn median_round(rounds: &[Round]) -> Round {
    let of = |field: fn(&Round) -> f64| median(rounds.iter().map(field).collect());
    Round {
        per_second: of(|it| it.per_second),
        p50_us: of(|it| it.p50_us),
        p99_us: of(|it| it.p99_us),
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
