//! Files that one step hands to the next: who may have them, for how long, and what is kept of
//! them.

use grantkeep::tenant::Environment;
use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{PRODUCT_ORIGIN, Reply, World, read, worlds, worlds_with};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// As the server cuts them.
const CHUNK_BYTES: usize = 256 * 1024;
/// Found in a file, and nowhere in the store.
const CANARY: &str = "canary-8f21 of a file";

/// Bytes that differ from place to place.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| u8::try_from((at / 251 + at) % 251).unwrap()).collect()
}

impl World {
    async fn stash(&self, query: &str, body: Vec<u8>) -> Reply {
        let url = format!("{}{}", self.url, self.path(&format!("/file_stash?{query}")));
        let request = self.http.post(url).bearer_auth(&self.project.key).body(body);
        read(request.header("x-pd-environment", "development")).await
    }

    async fn stashed(&self, query: &str, body: Vec<u8>) -> Value {
        let reply = self.stash(query, body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()
    }

    /// The file, asked for with any bearer in any environment.
    async fn fetch(&self, key: &str, bearer: &str, environment: Environment) -> reqwest::Response {
        let mut url = url::Url::parse(&self.url).unwrap();
        url.set_path(&self.path("/file_stash/download"));
        url.query_pairs_mut().append_pair("s3_key", key);
        let request = self.http.get(url).bearer_auth(bearer);
        request.header("x-pd-environment", environment.as_str()).send().await.unwrap()
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[tokio::test]
async fn a_file_comes_back_as_it_went_in_whatever_its_size() {
    for world in worlds().await {
        for count in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
            let name = format!("external_user_id=ada&name=a%20b%C3%A9%22{count}.png");
            let made = world.stashed(&name, bytes(count)).await;
            assert_eq!(made["bytes"], count);
            let key = text(&made, "s3_key");
            let parts: Vec<&str> = key.split('/').collect();
            assert_eq!((parts.len(), parts[0], parts[4]), (6, "1day", "u"), "{key}");
            assert_eq!((parts[1], parts[3]), (world.project.id.as_str(), text(&made, "stash_id")));
            assert!(parts[2].starts_with("exu_") && parts[3].len() == 32, "{key}");
            let connect = world.connect_token("ada").await;
            for bearer in [&world.project.key, &world.project.token, &connect] {
                let answer = world.fetch(key, bearer, Environment::Development).await;
                assert_eq!(answer.status(), 200, "{count}");
                let headers = answer.headers().clone();
                assert_eq!(headers["content-type"], "application/octet-stream");
                assert_eq!(headers["content-length"], count.to_string().as_str());
                assert_eq!(headers["x-content-type-options"], "nosniff");
                assert_eq!(headers["cache-control"], "no-store");
                let saved = headers["content-disposition"].to_str().unwrap();
                assert!(
                    saved.starts_with("attachment; filename*=UTF-8''a%20b%C3%A9%22"),
                    "{saved}"
                );
                assert!(answer.bytes().await.unwrap() == bytes(count), "{count}");
            }
            let by_link = world.http.get(text(&made, "get_url")).send().await.unwrap();
            assert_eq!(by_link.status(), 200);
            assert!(by_link.bytes().await.unwrap() == bytes(count), "{count}");
        }
    }
}

#[tokio::test]
async fn a_file_is_its_own_projects_environments_and_users() {
    for world in worlds().await {
        let other = world.another_project(grantkeep::projects::Settings::default()).await;
        let made = world.stashed("external_user_id=ada&name=x", b"x".to_vec()).await;
        let key = text(&made, "s3_key");
        let grace = world.connect_token("grace").await;
        for (bearer, environment) in [
            (&world.project.key, Environment::Production),
            (&other.key, Environment::Development),
            (&grace, Environment::Development),
        ] {
            let answer = world.fetch(key, bearer, environment).await;
            assert_eq!(answer.status(), 404);
        }
        let url = format!("{}{}", world.url, world.path("/file_stash/download"));
        // Generated clients name no environment here.
        let unnamed = world.http.get(&url).query(&[("s3_key", key)]);
        let unnamed = read(unnamed.bearer_auth(&world.project.token)).await;
        assert_eq!((unnamed.status.as_u16(), unnamed.text.as_str()), (200, "x"));
        let ada = world.connect_token("ada").await;
        let page = world.http.get(url).query(&[("s3_key", key)]).bearer_auth(&ada);
        let page = read(page.header("origin", PRODUCT_ORIGIN)).await;
        assert_eq!(page.headers["access-control-allow-origin"], PRODUCT_ORIGIN);
        for odd in ["a/b", "", "1day/../../../../etc/passwd", &format!("{key}x"), &"k".repeat(3000)]
        {
            let answer = world.fetch(odd, &world.project.key, Environment::Development).await;
            assert!([400, 404].contains(&answer.status().as_u16()), "{odd}");
        }
        // Another project's name in the key changes nothing of whose file it is.
        let moved = key.replace(world.project.id.as_str(), other.id.as_str());
        let answer = world.fetch(&moved, &world.project.key, Environment::Development).await;
        assert_eq!(answer.status(), 404);
        // Browsers put nothing in.
        let path = world.path("/file_stash?external_user_id=ada&name=y");
        let reply = world.call(Method::POST, &path, Some(&ada), None).await;
        assert_eq!(reply.code(), "wrong_token_type");
    }
}

#[tokio::test]
async fn a_link_is_good_for_half_an_hour_and_for_one_file() {
    for world in worlds().await {
        let made = world.stashed("external_user_id=ada&name=x", b"mine".to_vec()).await;
        let other = world.stashed("external_user_id=ada&name=y", b"other".to_vec()).await;
        let link = text(&made, "get_url");
        let get = async |url: &str| read(world.http.get(url)).await;
        let good = get(link).await;
        assert_eq!((good.status.as_u16(), good.text.as_str()), (200, "mine"));
        assert_eq!(good.headers["referrer-policy"], "no-referrer");
        let coded = |it: &Value| text(it, "s3_key").replace('/', "%2F");
        let last = if link.ends_with('0') { "1" } else { "0" };
        for altered in [
            link.replace(&coded(&made), &coded(&other)),
            link.replace("environment=development", "environment=production"),
            link.replace("until=1", "until=2"),
            format!("{}{last}", &link[..link.len() - 1]),
            link.split("&signature=").next().unwrap().to_owned(),
            format!("{}/stash", world.url),
        ] {
            let reply = get(&altered).await;
            assert_eq!(
                (reply.status.as_u16(), reply.code()),
                (404, "not_found".into()),
                "{altered}"
            );
        }
        world.app.clock.shift(29 * MINUTE_MS);
        assert_eq!(get(link).await.status, 200);
        world.app.clock.shift(2 * MINUTE_MS);
        assert_eq!(get(link).await.status, 404);
        let key = text(&made, "s3_key");
        let answer = world.fetch(key, &world.project.key, Environment::Development).await;
        assert_eq!(answer.status(), 200, "the file is still there");
    }
}

#[tokio::test]
async fn a_file_goes_after_a_day_and_with_its_user() {
    for world in worlds().await {
        let count = async || world.count("select count(*) from stash_chunks").await;
        let made = world.stashed("external_user_id=ada&name=x", bytes(CHUNK_BYTES + 1)).await;
        let key = text(&made, "s3_key");
        assert_eq!(count().await, 2);
        world.run_jobs().await;
        assert_eq!(count().await, 2, "not yet");
        world.app.clock.shift(DAY_MS);
        let answer = world.fetch(key, &world.project.key, Environment::Development).await;
        assert_eq!(answer.status(), 404, "over, though no job has run");
        world.run_jobs().await;
        assert_eq!(count().await, 0);
        assert_eq!(grantkeep::outbox::left(&world.app.db).await.unwrap(), 0);
        world.stashed("external_user_id=ada&name=x", b"again".to_vec()).await;
        world.stashed("external_user_id=grace&name=x", b"hers".to_vec()).await;
        assert_eq!(world.delete(&world.path("/users/ada")).await.status, 204);
        assert_eq!(count().await, 1, "grace's");
        world.app.clock.shift(DAY_MS);
        world.run_jobs().await;
        assert_eq!(grantkeep::outbox::left(&world.app.db).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn v_03_a_file_is_sealed_and_no_chunk_of_it_can_be_moved_or_left_out() {
    for world in worlds().await {
        let mut body = bytes(2 * CHUNK_BYTES);
        body.extend_from_slice(CANARY.as_bytes());
        let made = world.stashed("external_user_id=ada&name=x", body).await;
        let dump = world.dump("stash_chunks").await;
        assert!(!dump.contains("canary"), "a file's bytes are in the store in the clear");
        assert!(!dump.contains("63616e617279"), "nor as PostgreSQL shows bytes");
        let fetch = async || {
            let key = text(&made, "s3_key");
            let answer = world.fetch(key, &world.project.key, Environment::Development).await;
            let status = answer.status().as_u16();
            (status, answer.bytes().await.is_ok())
        };
        assert_eq!(fetch().await, (200, true));
        let run = async |sql: &'static str| {
            grantkeep::on!(world.app.db.write(), conn =>
                sqlx::query(sql).execute(conn).await.unwrap().rows_affected())
        };
        // The end cut off: what is the last chunk now was not sealed as one.
        run("update stash_files set chunks = 2, bytes = 524288").await;
        assert_eq!(fetch().await, (200, false));
        run("update stash_files set chunks = 3, bytes = 524309").await;
        // Two chunks in each other's place.
        run("update stash_chunks set nth = nth + 10 where nth < 2").await;
        run("update stash_chunks set nth = 11 - nth where nth >= 10").await;
        assert_eq!(fetch().await, (500, true));
    }
}

#[tokio::test]
async fn stashes_have_names_and_limits() {
    let settings = [("stash_file_bytes_max", "2048"), ("stash_project_bytes_max", "4096")];
    for world in worlds_with(&settings).await {
        let first = world.stashed("external_user_id=ada&name=a", vec![1; 2048]).await;
        let stash = text(&first, "stash_id");
        let within = |user: &str, name: &str| {
            format!("external_user_id={user}&stash_id={stash}&name={name}")
        };
        let second = world.stashed(&within("ada", "b"), vec![2; 1000]).await;
        assert_eq!(second["stash_id"], stash);
        for (query, size, status, code) in [
            (within("ada", "b"), 1, 400, "name_taken"),
            (within("grace", "c"), 1, 404, "not_found"),
            ("external_user_id=ada&name=a&stash_id=NEW".to_owned(), 1, 400, "invalid_parameter"),
            ("external_user_id=ada".to_owned(), 1, 400, "invalid_parameter"),
            ("external_user_id=ada&name=a%2Fb".to_owned(), 1, 400, "invalid_parameter"),
            ("external_user_id=ada&name=..".to_owned(), 1, 400, "invalid_parameter"),
            ("name=a".to_owned(), 1, 400, "invalid_external_user_id"),
            ("external_user_id=ada&name=a".to_owned(), 2049, 413, "body_too_large"),
            ("external_user_id=ada&name=a".to_owned(), 2000, 400, "too_many"),
        ] {
            let reply = world.stash(&query, vec![3; size]).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (status, code.into()), "{query}");
        }
        assert_eq!(
            world.count("select count(*) from stash_files").await,
            2,
            "nothing half is left"
        );
        let sql = "select count(*) from stash_chunks where not exists \
                   (select 1 from stash_files f where f.id = file_id)";
        assert_eq!(world.count(sql).await, 0);
    }
}

#[tokio::test]
async fn files_without_bytes_count_too() {
    for world in worlds_with(&[("stash_project_bytes_max", "4096")]).await {
        for nth in 0..4 {
            world.stashed(&format!("external_user_id=ada&name={nth}"), Vec::new()).await;
        }
        let reply = world.stash("external_user_id=ada&name=5", Vec::new()).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "too_many".into()), "{reply:?}");
    }
}

/// A caller who goes away in the midst of it leaves nothing, and holds no lock meanwhile.
#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    for world in worlds().await {
        let address = world.url.strip_prefix("http://").unwrap();
        let mut caller = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             x-pd-environment: development\r\ncontent-length: 1000000\r\n\r\n",
            world.path("/file_stash?external_user_id=ada&name=half"),
            world.project.key,
        );
        caller.write_all(head.as_bytes()).await.unwrap();
        caller.write_all(&bytes(400_000)).await.unwrap();
        let chunks = async || world.count("select count(*) from stash_chunks").await;
        until(async || chunks().await == 1).await;
        // Others write while this one is slow, and nobody finds half a file.
        let whole = world.stashed("external_user_id=ada&name=whole", b"w".to_vec()).await;
        let key = text(&whole, "s3_key").to_owned();
        assert_eq!(chunks().await, 2);
        drop(caller);
        until(async || chunks().await == 1).await;
        assert_eq!(world.count("select count(*) from stash_files").await, 1);
        let answer = world.fetch(&key, &world.project.key, Environment::Development).await;
        assert_eq!(answer.status(), 200);
    }
}

/// Asks again until it is so; a test that waits in vain is ended by its runner.
async fn until(is_so: impl AsyncFn() -> bool) {
    while !is_so().await {
        tokio::task::yield_now().await;
    }
}

/// Nobody who reads slowly makes the server hold the file.
#[tokio::test]
async fn a_file_is_read_from_the_store_as_it_is_taken() {
    let world = World::sqlite(&[]).await;
    let made = world.stashed("external_user_id=ada&name=x", bytes(90 * CHUNK_BYTES)).await;
    let link = url::Url::parse(text(&made, "get_url")).unwrap();
    let address = world.url.strip_prefix("http://").unwrap();
    let mut caller = tokio::net::TcpStream::connect(address).await.unwrap();
    let line = format!("{}?{}", link.path(), link.query().unwrap());
    let head = format!("GET {line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    caller.write_all(head.as_bytes()).await.unwrap();
    let mut first = vec![0; 1024];
    caller.read_exact(&mut first).await.unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200"));
    // What is gone from the store meanwhile cannot come any more.
    assert_eq!(world.delete(&world.path("/users/ada")).await.status, 204);
    let mut rest = Vec::new();
    let _ = caller.read_to_end(&mut rest).await;
    assert!(rest.len() < 80 * CHUNK_BYTES, "{} bytes were held", rest.len());
}
