//! Small expressions: conditions, and texts with `{{ }}`. They are JavaScript over `steps`, `event`
//! and `context`, in an interpreter within this process that knows nothing else: no network, no
//! files, no modules, and a new one for each step.

use std::time::Duration;

use rquickjs::context::intrinsic::{Date, Eval, Json, MapSet, Promise, RegExp, RegExpCompiler};
use rquickjs::{Context, Ctx, Runtime};
use serde_json::{Map, Value};
use tokio::time::Instant;

/// How long the expressions of one step may take together.
const TIME_MAX: Duration = Duration::from_millis(200);
/// How long they are waited for at most, with the time that a busy machine takes.
const STUCK_AFTER: Duration = Duration::from_secs(10);
/// Bytes that they may hold, and of their stack.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;
const STACK_BYTES_MAX: usize = 256 * 1024;
/// Bytes of what one gives, as JSON.
const GIVEN_BYTES_MAX: usize = 1024 * 1024;
/// What of the language there is: nothing that lies about its length, or holds bytes.
type Given = (Date, Eval, RegExpCompiler, RegExp, Json, MapSet, Promise);
/// The time is looked at between the steps of code, and never within a native function: this bounds
/// those.
const BOUNDS: &str = include_str!("expression.js");
/// Characters of one expression.
const CHARS_MAX: usize = 4_000;
/// How deep values may hold values.
const DEPTH_MAX: usize = 32;

/// Why one cannot be evaluated, as a sentence.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Wrong(String);

/// Pieces of a text: as they are, or to be evaluated.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Expression(&'a str),
}

/// `{{` opens an expression, and the next `}}` closes it.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Wrong> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, after)) = after.split_once("}}") else {
            return Err(Wrong("`{{` is not closed by `}}`".to_owned()));
        };
        if !before.is_empty() {
            all.push(Piece::Text(before));
        }
        if inside.trim().is_empty() {
            return Err(Wrong("there is nothing between `{{` and `}}`".to_owned()));
        }
        all.push(Piece::Expression(inside.trim()));
        rest = after;
    }
    if !rest.is_empty() {
        all.push(Piece::Text(rest));
    }
    Ok(all)
}

/// Values that expressions see, by name.
pub(super) type Scope = Map<String, Value>;

/// An interpreter for the expressions of one step.
pub(super) struct Expressions {
    // Ended before the runtime that it belongs to.
    context: Context,
    _runtime: Runtime,
}

impl Expressions {
    pub fn new(scope: &Scope) -> Result<Self, Wrong> {
        let failed = |it: rquickjs::Error| Wrong(format!("no interpreter can be had: {it}"));
        let runtime = Runtime::new().map_err(failed)?;
        runtime.set_memory_limit(MEMORY_BYTES_MAX);
        runtime.set_max_stack_size(STACK_BYTES_MAX);
        let end = Instant::now() + TIME_MAX;
        runtime.set_interrupt_handler(Some(Box::new(move || Instant::now() > end)));
        let context = Context::custom::<Given>(&runtime).map_err(failed)?;
        context.with(|js| {
            js.eval::<(), _>(BOUNDS).map_err(|it| said(&js, &it))?;
            for (name, value) in scope {
                let value = js.json_parse(value.to_string()).map_err(|it| said(&js, &it))?;
                js.globals().set(name.as_str(), value).map_err(|it| said(&js, &it))?;
            }
            Ok(())
        })?;
        Ok(Self { context, _runtime: runtime })
    }

    /// Whether a condition holds, by JavaScript's own idea of what is true.
    pub fn holds(&self, condition: &str) -> Result<bool, Wrong> {
        Ok(self.evaluate(&format!("!!({}\n)", bare(condition)))? == Value::Bool(true))
    }

    /// The value with its texts filled. A text that is one expression is that expression's value;
    /// otherwise values stand in the text as text.
    pub fn filled(&self, value: &Value) -> Result<Value, Wrong> {
        self.filled_at(value, 0)
    }

    fn filled_at(&self, value: &Value, depth: usize) -> Result<Value, Wrong> {
        if depth > DEPTH_MAX {
            return Err(Wrong(format!("values stand more than {DEPTH_MAX} deep")));
        }
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                items.iter().map(|it| self.filled_at(it, depth + 1)).collect::<Result<_, _>>()
            }
            Value::Object(fields) => {
                let one = |(name, it): (&String, &Value)| {
                    Ok((name.clone(), self.filled_at(it, depth + 1)?))
                };
                fields.iter().map(one).collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
            other => Ok(other.clone()),
        }
    }

    fn text(&self, text: &str) -> Result<Value, Wrong> {
        let pieces = pieces(text)?;
        if let [Piece::Expression(only)] = pieces[..] {
            return self.evaluate(only);
        }
        let mut whole = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => whole.push_str(text),
                Piece::Expression(it) => match self.evaluate(it)? {
                    Value::Null => {}
                    Value::String(text) => whole.push_str(&text),
                    other => whole.push_str(&other.to_string()),
                },
            }
            if whole.len() > GIVEN_BYTES_MAX {
                return Err(Wrong(format!("the text has more than {GIVEN_BYTES_MAX} bytes")));
            }
        }
        Ok(Value::String(whole))
    }

    fn evaluate(&self, expression: &str) -> Result<Value, Wrong> {
        if has_big_number(expression) {
            return Err(Wrong("numbers such as `1n` are not to be had".to_owned()));
        }
        let code = format!("({expression}\n)");
        self.context.with(|js| {
            let value: rquickjs::Value<'_> =
                js.eval(code.as_bytes()).map_err(|it| said(&js, &it))?;
            let text = js.json_stringify(value).map_err(|it| said(&js, &it))?;
            let Some(text) = text else { return Ok(Value::Null) };
            let text = text.to_string().map_err(|it| said(&js, &it))?;
            if text.len() > GIVEN_BYTES_MAX {
                return Err(Wrong(format!("it gives more than {GIVEN_BYTES_MAX} bytes")));
            }
            serde_json::from_str(&text).map_err(|it| Wrong(it.to_string()))
        })
    }
}

/// Whether there is a number such as `1n`: one without a largest, whose product with another takes
/// as long as it likes. In a text it is refused too.
fn has_big_number(code: &str) -> bool {
    let in_word = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '$';
    let big = |word: &str| {
        let Some(number) = word.strip_suffix('n') else { return false };
        let lower = number.to_ascii_lowercase();
        let digits = |it: &str, base| it.chars().all(|it| it == '_' || it.is_digit(base));
        let based = [("0x", 16), ("0o", 8), ("0b", 2)]
            .into_iter()
            .any(|(prefix, base)| lower.strip_prefix(prefix).is_some_and(|it| digits(it, base)));
        based || (lower.starts_with(|it: char| it.is_ascii_digit()) && digits(&lower, 10))
    };
    code.split(|it| !in_word(it)).any(big)
}

/// Has work that evaluates done on a thread of its own, and waits for it no longer than that can
/// take. What a native function never ends holds its thread, and nothing else.
///
/// # Errors
/// The outer one of the server; the inner one is the work's.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> crate::error::Result<Result<T, String>> {
    let done = tokio::task::spawn_blocking(work);
    let Ok(done) = tokio::time::timeout(STUCK_AFTER, done).await else {
        tracing::error!("an expression of a workflow does not end, and holds a thread");
        return Ok(Err("it does not end".to_owned()));
    };
    done.map_err(|it| crate::error::INTERNAL.logging(it))
}

/// Conditions may be written with and without the braces.
fn bare(condition: &str) -> &str {
    let text = condition.trim();
    let inside = text.strip_prefix("{{").and_then(|it| it.strip_suffix("}}"));
    inside.filter(|it| !it.contains("{{")).map_or(text, str::trim)
}

fn said(js: &Ctx<'_>, error: &rquickjs::Error) -> Wrong {
    if !error.is_exception() {
        return Wrong(error.to_string());
    }
    let thrown = js.catch();
    let text = |it: Option<String>| it.unwrap_or_default();
    match thrown.as_exception() {
        Some(it) if text(it.message()) == "interrupted" => {
            Wrong(format!("it takes longer than {} ms", TIME_MAX.as_millis()))
        }
        Some(it) => Wrong(text(it.message())),
        None => match js.json_stringify(thrown).ok().flatten().and_then(|it| it.to_string().ok()) {
            None => Wrong("it throws".to_owned()),
            Some(said) => Wrong(format!("it throws {said}")),
        },
    }
}

/// Whether a condition can be read.
pub(super) fn check_condition(text: &str) -> Result<(), Wrong> {
    readable(&[bare(text)])
}

/// Whether all texts within a value can be read.
pub(super) fn check(value: &Value) -> Result<(), Wrong> {
    match value {
        Value::String(text) => {
            let expression = |it| match it {
                Piece::Expression(text) => Some(text),
                Piece::Text(_) => None,
            };
            readable(&pieces(text)?.into_iter().filter_map(expression).collect::<Vec<_>>())
        }
        Value::Array(items) => items.iter().try_for_each(check),
        Value::Object(fields) => fields.values().try_for_each(check),
        _ => Ok(()),
    }
}

/// Has them read as functions that are not called.
fn readable(all: &[&str]) -> Result<(), Wrong> {
    if all.is_empty() {
        return Ok(());
    }
    let expressions = Expressions::new(&Scope::new())?;
    for text in all {
        if text.chars().count() > CHARS_MAX {
            return Err(Wrong(format!("an expression has at most {CHARS_MAX} characters")));
        }
        let read = expressions.evaluate(&format!("() => ({text}\n), null"));
        read.map_err(|Wrong(why)| Wrong(format!("`{text}` cannot be read: {why}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn over(scope: &Value) -> Expressions {
        Expressions::new(scope.as_object().unwrap()).unwrap()
    }

    #[test]
    fn texts_are_filled_and_a_lone_expression_keeps_its_type() {
        let it = over(&json!({ "steps": { "a": { "n": 2, "list": [1, "x"] } } }));
        let filled = |value| it.filled(&value).unwrap();
        assert_eq!(filled(json!("{{ steps.a.list }}")), json!([1, "x"]));
        assert_eq!(filled(json!("n is {{steps.a.n + 1}}!")), json!("n is 3!"));
        assert_eq!(filled(json!({ "x": ["{{ steps.b }}", 7] })), json!({ "x": [null, 7] }));
        assert_eq!(filled(json!("{{ steps.a.gone }}-")), json!("-"));
        assert_eq!(filled(json!("no braces")), json!("no braces"));
    }

    #[test]
    fn conditions_hold_or_not() {
        let it = over(&json!({ "steps": { "a": { "n": 2 } } }));
        assert!(it.holds("steps.a.n > 1").unwrap());
        assert!(!it.holds("{{ steps.a.n > 2 }}").unwrap());
        assert!(!it.holds("steps.a.gone").unwrap());
        assert!(it.holds("steps.b.n").is_err());
    }

    #[test]
    fn what_never_ends_or_grows_is_stopped() {
        for code in ["{{ (() => { for (;;); })() }}", "{{ 'x'.repeat(1e9) }}"] {
            assert!(over(&json!({})).filled(&json!(code)).is_err(), "{code}");
        }
        let deep = "{{ (function f() { return f(); })() }}";
        assert!(over(&json!({})).filled(&json!(deep)).is_err());
    }

    #[test]
    fn no_native_function_goes_on_for_ever() {
        let long = "'a'.repeat(2e6)";
        for code in [
            "[].reverse.call({ length: 2 ** 53 - 1 })".to_owned(),
            "[].includes.call(new Array(4e9), 1)".to_owned(),
            "[new Array(4e9)].flat()".to_owned(),
            "String.raw({ raw: { length: 2 ** 53 - 1 } })".to_owned(),
            "new Proxy([], {})".to_owned(),
            "new Uint8Array(8)".to_owned(),
            format!("{long}.includes({long} + 'b')"),
            format!("{long}.split({long} + 'b')"),
            "(2n ** 64n)".to_owned(),
            "eval('1' + 'n')".to_owned(),
            "(() => { let a = []; for (let i = 0; i < 60; i++) a = [a, a]; return a.flat(99) })()"
                .to_owned(),
            "[1].flatMap(() => new Array(4e9))".to_owned(),
            format!("{long}.includes([{long} + 'b'])"),
            format!("new String({long}).includes({long} + 'b')"),
            "JSON.stringify({}, Array(4e9))".to_owned(),
            "[][Symbol.iterator].call(Array(4e9)).next()".to_owned(),
            "new Set(Array(4e9))".to_owned(),
            "(() => 1).constructor('return 1' + 'n')()".to_owned(),
            "Object.getPrototypeOf(function* () {}).constructor('')()".to_owned(),
            "BigInt(1)".to_owned(),
            "/(a+)+b/.test('a'.repeat(64))".to_owned(),
        ] {
            // What went on for ever would be ended by whoever runs the tests.
            let given = over(&json!({})).filled(&json!(format!("{{{{ {code} }}}}")));
            assert!(given.is_err(), "{code} gives {given:?}");
        }
        let it = over(&json!({ "event": { "list": [3, 1, 2], "text": "a-b" } }));
        let code = "{{ event.list.sort().concat([4]).map((n) => n * 2).join() + \
                    event.text.split('-').reverse() + [1, [2]].flat().includes(2) }}";
        assert_eq!(it.filled(&json!(code)).unwrap(), json!("2,4,6,8b,atrue"));
        let much = "{{ 'x'.repeat(9e5) }}".repeat(2);
        assert!(it.filled(&json!(much)).is_err());
        for fine in ["a1n", "x.n", "n1", "'10 n'", "1 + n", "'15min'", "'1in'", "0xn1", "n"] {
            assert!(!has_big_number(fine), "{fine}");
        }
        for big in ["1n", "-1_000n", "0xffn", "a*0b1n+1"] {
            assert!(has_big_number(big), "{big}");
        }
        for (code, wanted) in [
            ("btoa('a:\u{e9}')", json!("YTrp")),
            ("atob('YTo=')", json!("a:")),
            ("[1].concat({ length: 9, [Symbol.isConcatSpreadable]: true }).length", json!(2)),
            ("[1, [2, [3]]].flat(Infinity)", json!([1, 2, 3])),
            ("[1, 2].flatMap((n) => [n, [n]])", json!([1, [1], 2, [2]])),
            ("'a'.repeat(2e4).concat('b'.repeat(2e4)).length", json!(40_000)),
            ("'a-b-c'.replaceAll('-', (it) => it + '!').split(/!/)", json!(["a-", "b-", "c"])),
            ("[...new Set([1, 1, 2])]", json!([1, 2])),
            ("new Date(0).toISOString()", json!("1970-01-01T00:00:00.000Z")),
        ] {
            assert_eq!(it.filled(&json!(format!("{{{{ {code} }}}}"))).unwrap(), wanted, "{code}");
        }
    }

    #[test]
    fn nothing_of_the_server_is_in_reach() {
        let it = over(&json!({}));
        for name in ["process", "require", "fetch", "std", "os", "console"] {
            assert_eq!(it.filled(&json!(format!("{{{{ typeof {name} }}}}"))).unwrap(), "undefined");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_when_it_is_deployed() {
        assert!(check(&json!({ "a": ["{{ steps.a.b }}", "x"] })).is_ok());
        for text in ["{{ steps. }}", "{{", "{{ }}", "{{ a b }}"] {
            assert!(check(&json!(text)).is_err(), "{text}");
        }
        assert!(check_condition("a &&").is_err());
        assert!(check_condition("steps.a.b === 'x'").is_ok());
    }
}
