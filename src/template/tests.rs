//! Templates against what transformers makes of them: `tests/fixtures/templates/golden.json`, whose recipe stands beside it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use minijinja::Value;

use super::*;

fn file(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/templates");
    std::fs::read_to_string(folder.join(name)).expect(name)
}

/// The golden file, in the order of its keys.
fn golden() -> Value {
    serde_json::from_str(&file("golden.json")).expect("JSON")
}

fn items(value: &Value) -> Vec<Value> {
    value.try_iter().expect("a list").collect()
}

fn json(value: &Value) -> String {
    serde_json::to_string(value).expect("JSON")
}

fn at(value: &Value, key: &str) -> Value {
    value.get_item(&Value::from(key)).expect("a value")
}

/// 2024-07-26 10:05:07, as in the recipe.
fn compile(name: &str, source: &str) -> Result<Template> {
    let time = chrono::NaiveDate::from_ymd_opt(2024, 7, 26).and_then(|day| day.and_hms_opt(10, 5, 7));
    Template::compile_at(name, source, Now::Fixed(time.expect("a time")))
}

/// What is not as in the reference, or nothing.
fn compared(outcome: &Value, result: &Result<String>) -> Option<String> {
    let rendered = at(outcome, "rendered");
    let error = at(outcome, "error");
    match (rendered.as_str(), result) {
        (Some(expected), Ok(rendered)) if expected == rendered => None,
        (None, Err(error)) if error.code() == "ERR_INTERNAL" => Some(error.to_string()),
        (None, Err(found)) => {
            // The words of `raise_exception` are the user's to read.
            let refusal = error.as_str().and_then(|error| error.strip_prefix("TemplateError: "));
            let is_said =
                refusal.is_none_or(|refusal| found.code() == "ERR_INVALID_ARG" && found.to_string().contains(refusal));
            (!is_said).then(|| format!("{error}: {found}"))
        }
        (expected, found) => Some(format!(
            "expected {:?}\n   found {found:?}",
            expected.map_or_else(|| error.to_string(), str::to_owned)
        )),
    }
}

#[test]
fn chats_are_rendered_as_transformers_renders_them() {
    let golden = golden();
    let (outcomes, options) = (items(&at(&golden, "outcomes")), items(&at(&golden, "options")));
    let special = at(&golden, "special");
    let special: Vec<(String, String)> = items(&special)
        .iter()
        .map(|name| (name.to_string(), at(&special, name.as_str().expect("a name")).to_string()))
        .collect();
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in items(&at(&golden, "cases")) {
        let case = case.as_str().expect("a name").to_owned();
        let (name, chat) = case.split_once(": ").expect("a template and a chat");
        let template = compile(name, &file(name)).expect(name);
        let messages = json(&at(&at(&golden, "chats"), chat));
        for (number, options) in items(&at(&at(&golden, "cases"), &case)).iter().zip(&options) {
            let result = Chat::parse(&messages, &json(options)).and_then(|chat| {
                let special = special.iter().map(|(name, token)| (name.as_str(), token.as_str()));
                template.render(&chat.with_variables(special))
            });
            let outcome = &outcomes[number.as_usize().expect("a number")];
            wrong.extend(compared(outcome, &result).map(|how| format!("{case} {}\n{how}", json(options))));
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {count} differ\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 1_000);
}

#[test]
fn jinja_is_that_of_jinja2_in_python() {
    let golden = golden();
    let context = json(&at(&golden, "context"));
    let sources = items(&at(&golden, "sources"));
    let mut wrong = Vec::new();
    for case in &sources {
        let source = at(case, "source").to_string();
        let result = compile("test", &source)
            .and_then(|template| template.render(&Chat::parse(r#"[{"role": "user", "content": ""}]"#, &context)?));
        wrong.extend(compared(case, &result).map(|how| format!("{source:?}\n{how}")));
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), sources.len(), wrong.join("\n"));
}

/// The error of a template that is rendered with one message.
fn failure(source: &str) -> Error {
    let begun = Instant::now();
    let error = Template::compile("chat_template.jinja", source)
        .and_then(|template| template.render(&Chat::of_texts(&[("user", "text")], Format::Flat)))
        .expect_err(source);
    assert!(begun.elapsed() < Duration::from_secs(20), "{source} took {:?}", begun.elapsed());
    assert!(error.to_string().starts_with("chat_template.jinja"), "{error}");
    error
}

#[test]
fn a_template_that_does_not_end_is_an_error() {
    assert!(failure(&file("endless.jinja")).to_string().contains("does not come to an end"));
    for source in [
        // Time.
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}",
        "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
        "{% for x in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
        // Memory: of strings, of lists, of what filters and methods make.
        "{% set ns = namespace(x='ab') %}{% for i in range(90) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(90) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(90) %}{% set ns.x = ns.x|replace('a', ns.x) %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(90) %}{% set ns.x = ns.x.replace('a', ns.x) %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(90) %}{% set ns.x = ns.x.join([ns.x, ns.x, ns.x]) %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(90) %}{% set ns.x = '{0}{0}'.format(ns.x) %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(90) %}{% set ns.x = ns.x|tojson|tojson %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{{ 'a' * 99999999999 }}",
        "{{ ([1] * 99999999)|list|length }}",
        "{{ 'a'.center(99999999999) }}",
        "{{ '%99999999999d'|format(1) }}",
        "{{ '{:99999999999}'.format(1) }}",
        "{{ 'a\nb'|indent(99999999999) }}",
        "{{ range(99999999999)|list }}",
        "{{ [1]|tojson(indent=99999999999) }}",
        "{% set x %}{% for i in range(99999) %}{{ 'word ' * 1000 }}{% endfor %}{% endset %}",
    ] {
        failure(source);
    }
}

#[test]
fn no_depth_of_code_or_values_ends_the_process() {
    let deep =
        |open: &str, close: &str, count: usize| format!("{{{{ {}1{} }}}}", open.repeat(count), close.repeat(count));
    for source in [
        deep("(", ")", 2_900),
        deep("[", "]", 2_900),
        deep("[", "]", 140),
        deep("not ", "", 2_400),
        deep("-", "", 4_900),
        deep("", "|abs", 2_400),
        deep("", ".a", 2_400),
        deep("", " ~ 1", 1_200),
        deep("", " if 0 else 2", 600),
        deep("", " == 1", 1_200),
        deep("", " and 1", 1_200),
        format!("{}{}", "{% if 1 %}".repeat(10_000), "{% endif %}".repeat(10_000)),
        format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(20_000)),
        format!("{}{}", "{% for i in [1] %}".repeat(100), "{% endfor %}".repeat(100)),
        "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}".into(),
        "{% set ns = namespace() %}{% set ns.x = [{'a': ns}] %}{{ ns == ns }}".into(),
        "{% set ns = namespace(x=[]) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}".into(),
        "{% set ns = namespace(x=[1]) %}{% for i in range(90000) %}{% set ns.x = ns.x[0:] %}{% endfor %}{{ ns.x }}".into(),
        "{% set ns = namespace(x=[1]) %}{% for i in range(90000) %}{% set ns.x = ns.x * 1 %}{% endfor %}{{ ns.x }}".into(),
        "{% set ns = namespace(x={}) %}{% for i in range(90000) %}{% set ns.x = {'a': ns.x} %}{% endfor %}{{ ns.x|tojson }}".into(),
        // As deep as code without a namespace can make a value: printed, compared, serialised and dropped.
        format!(
            "{{% macro m(n, x) %}}{}{{% if n %}}{{{{ m(n - 1, x) }}}}{{% else %}}{{{{ x == x }}}}{{{{ x|string|length }}}}{{{{ (x ~ '')|length }}}}{{{{ x|tojson }}}}{{% endif %}}{{% endmacro %}}{{{{ m(40, []) }}}}",
            "{% set x = [x] %}".repeat(2_800)
        ),
    ] {
        // Whatever comes of it: it comes.
        let begun = Instant::now();
        let template = Template::compile("chat_template.jinja", &source);
        let _ = template.and_then(|template| template.render(&Chat::of_texts(&[("user", "text")], Format::Flat)));
        assert!(begun.elapsed() < Duration::from_secs(20), "took {:?}", begun.elapsed());
    }
}

#[test]
fn errors_say_where_and_what() {
    for (source, code, words) in [
        (
            "{{ raise_exception('Roles must alternate') }}",
            "ERR_INVALID_ARG",
            "refuses these messages: Roles must alternate",
        ),
        ("a\n{% if x %}", "ERR_MODEL_INVALID", "line 2"),
        ("a\n\n{{ x.y.z }}", "ERR_MODEL_INVALID", "line 3"),
        ("{{ x|unheard }}", "ERR_MODEL_UNSUPPORTED", "unheard"),
        ("{{ 'x'.unheard() }}", "ERR_MODEL_UNSUPPORTED", "unheard"),
        ("{{ unheard() }}", "ERR_MODEL_UNSUPPORTED", "unheard"),
        ("{{ strftime_now('%Q') }}", "ERR_MODEL_INVALID", "%Q"),
    ] {
        let error = failure(source);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    for (messages, options, words) in [
        ("[]", "{}", "at least one message"),
        ("{}", "{}", "a list of messages"),
        ("[1]", "{}", "objects"),
        ("[", "{}", "JSON"),
        (r#"[{"role": "user"}]"#, r#"{"tools": 1}"#, "tools"),
        (r#"[{"role": "user"}]"#, r#"{"add_generation_prompt": 1}"#, "add_generation_prompt"),
        (r#"[{"role": "user"}]"#, r#"{"continue_final_message": 1}"#, "continue_final_message"),
        (r#"[{"role": "user"}]"#, r#"{"messages": []}"#, "messages"),
    ] {
        let template = Template::compile("t", "x").expect("a template");
        let error = Chat::parse(messages, options).and_then(|chat| template.render(&chat)).expect_err(words);
        assert_eq!(error.code(), "ERR_INVALID_ARG");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_template_goes_around_its_texts_or_says_that_it_does_not() {
    let around = |name: &str, source: &str, roles: &[&str]| {
        let template = compile(name, source).expect(name);
        template.around(roles, Format::Flat, &[], &[("bos_token", "<s>".into())]).expect(name)
    };
    let pair = ["query", "document"];
    let split = around("yes-no.jinja", &file("yes-no.jinja"), &pair).expect("a split");
    assert_eq!(split.texts.len(), 3);
    // The golden render of the zoo's own file.
    assert!(split.with(&["Q", "D"]).ends_with("<Query>: Q\n<Document>: D<|im_end|>\n<|im_start|>assistant"));
    assert!(around("chatml.jinja", &file("chatml.jinja"), &["user"]).is_some());
    assert!(around("generation.jinja", &file("generation.jinja"), &["user"]).is_some());
    let prompted = compile("r", &file("qwen3-reranker.jinja")).expect("a template");
    let prompted =
        prompted.around(&pair, Format::Flat, &[("system", " Judge.\n")], &[]).expect("rendered").expect("a split");
    assert!(prompted.texts[0].contains("<Instruct>:  Judge.\n\n<Query>: "), "{prompted:?}");

    for (source, why) in [
        ("{{ messages[0].content|trim }}", "trims"),
        ("{{ messages[0].content.rstrip() }}", "trims one end"),
        ("{{ messages[0].content }}{{ messages[0].content }}", "repeats"),
        ("{{ messages[0].content|e }}", "escapes"),
        ("{{ messages[0].content|upper }}", "changes"),
        ("{{ messages[0].content[:2000] }}", "cuts"),
        ("{% if messages[0].content %}<{{ messages[0].content }}>{% endif %}", "leaves empty ones out"),
        ("{{ messages[0].content.split('</think>')[-1] }}", "splits"),
        (
            "{% if not messages[0].content.startswith('<a>') %}x{% endif %}{{ messages[0].content }}",
            "looks at the beginning",
        ),
        (
            "{% if messages[0].content.startswith('<a>') and messages[0].content.endswith('</a>') %}x{% endif %}{{ messages[0].content }}",
            "looks at both ends",
        ),
        ("{{ 'x' if messages[0].content == 'no' }}{{ messages[0].content }}", "compares"),
        ("{{ messages[0].content|replace('\\r\\n', '\\n') }}", "changes line ends"),
        ("no text", "leaves it out"),
    ] {
        assert_eq!(around("test", source, &["user"]), None, "{why}");
    }
    assert_eq!(around("test", "{{ messages[1].content }}{{ messages[0].content }}", &pair), None, "another order");
    assert_eq!(around("qwen3.jinja", &file("qwen3.jinja"), &["user"]).map(|_| ()), Some(()));
    let failing = compile("test", "{{ messages[0].content.a.b }}").expect("a template");
    assert!(failing.around(&["user"], Format::Flat, &[], &[]).is_err());
}

#[test]
fn a_structured_text_stands_in_a_part() {
    let template = compile("test", "{% for part in messages[0].content %}{{ part.type }}:{{ part.text }}{% endfor %}")
        .expect("a template");
    assert_eq!(template.render(&Chat::of_texts(&[("user", " a ")], Format::Structured)).expect("rendered"), "text: a ");
}
