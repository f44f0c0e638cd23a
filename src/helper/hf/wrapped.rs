//! `hf` that another program starts: `uvx hf …`, `uv run hf …`, `env A=1 hf …`, `python -m huggingface_hub…`.
//!
//! What is not known is not guessed: the command is then one that is no `hf`.

use super::is_hf;

/// Options of these programs that take the next word.
const VALUES: &[&str] = &[
    "--from",
    "--with",
    "--with-editable",
    "--with-requirements",
    "--python",
    "-p",
    "--project",
    "--directory",
    "--package",
    "--extra",
    "--group",
    "--env-file",
    "--index",
    "--index-url",
    "--default-index",
    "--extra-index-url",
    "--find-links",
    "--cache-dir",
    "--config-file",
    "--spec",
    "--unset",
    "--chdir",
    "--adjustment",
    "-u",
    "-C",
    "-n",
    "-W",
    "-X",
];

/// The arguments of the `hf` that a command line comes down to; none: it is another program's.
pub fn arguments<'a, 'b>(command: &'b [&'a str]) -> Option<&'b [&'a str]> {
    let (program, rest) = command.split_first()?;
    let name = name(program);
    if is_hf(name) {
        return Some(rest);
    }
    match name {
        "env" => arguments(after(rest, true)),
        "uvx" | "pipx" | "uv" => runner(rest),
        "nohup" | "nice" | "time" => arguments(after(rest, false)),
        _ if is_python(name) => module(rest),
        _ => None,
    }
}

/// Without folders, `.exe` and a version that is asked for (`hf@latest`).
fn name(program: &str) -> &str {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    let name = name.split('@').next().unwrap_or(name);
    name.strip_suffix(".exe").unwrap_or(name)
}

fn is_python(name: &str) -> bool {
    let version = name
        .strip_prefix("python")
        .or_else(|| name.strip_prefix("pypy"));
    let plain = |rest: &str| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    name == "py" || version.is_some_and(plain)
}

/// What stands behind the options, and for `env` behind its settings.
fn after<'a, 'b>(mut words: &'b [&'a str], settings: bool) -> &'b [&'a str] {
    while let Some((word, rest)) = words.split_first() {
        words = match *word {
            "--" => return rest,
            option if option.len() > 1 && option.starts_with('-') => rest
                .get(usize::from(VALUES.contains(&option))..)
                .unwrap_or_default(),
            word if settings && word.contains('=') => rest,
            _ => break,
        };
    }
    words
}

/// `uvx hf`, `uv run hf`, `uv tool run hf`, `pipx run hf`; uv starts a module by `-m` itself.
fn runner<'a, 'b>(rest: &'b [&'a str]) -> Option<&'b [&'a str]> {
    let (before, inner) = split(rest);
    if before.iter().any(|word| matches!(*word, "-m" | "--module")) {
        return by_module(inner);
    }
    match inner.split_first() {
        Some((&"run" | &"tool", deeper)) => runner(deeper),
        _ => arguments(inner),
    }
}

fn split<'a, 'b>(words: &'b [&'a str]) -> (&'b [&'a str], &'b [&'a str]) {
    let inner = after(words, false);
    words.split_at(words.len() - inner.len())
}

/// `python -m MODULE …`.
fn module<'a, 'b>(rest: &'b [&'a str]) -> Option<&'b [&'a str]> {
    let (before, inner) = split(rest);
    before.contains(&"-m").then_some(inner).and_then(by_module)
}

fn by_module<'a, 'b>(words: &'b [&'a str]) -> Option<&'b [&'a str]> {
    let (module, rest) = words.split_first()?;
    let ours = *module == "huggingface_hub" || module.starts_with("huggingface_hub.");
    ours.then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::arguments;

    fn of(line: &str) -> Option<String> {
        let words: Vec<&str> = line.split(' ').collect();
        arguments(&words).map(|rest| rest.join(" "))
    }

    #[test]
    fn an_hf_that_another_program_starts_is_seen_through() {
        for before in [
            "hf",
            "/opt/bin/hf",
            "huggingface-cli",
            "uvx hf",
            "uvx hf@latest",
            "uvx --from huggingface_hub hf",
            "uvx --offline --python 3.12 hf",
            "uv run hf",
            "uv run --with huggingface_hub hf",
            "uv --project . run -- hf",
            "uv tool run hf",
            "uv run python -m huggingface_hub.cli.hf",
            "uv run -m huggingface_hub.cli.hf",
            "pipx run --spec huggingface_hub hf",
            "env A=1 hf",
            "env -i -u B A=1 uvx hf",
            "python -m huggingface_hub.commands.huggingface_cli",
            "/usr/bin/python3.12 -W ignore -m huggingface_hub.cli.hf",
            "nice -n 5 hf",
        ] {
            let line = format!("{before} upload acme/model .");
            assert_eq!(of(&line).as_deref(), Some("upload acme/model ."), "{line}");
        }
    }

    #[test]
    fn what_is_no_hf_is_not_taken_for_one() {
        for line in [
            "python train.py hf upload acme/model",
            "python -m pip install hf",
            "uvx ruff hf",
            "uv run train.py hf",
            "env",
            "env A=1",
            "sh -c hf",
            "hfx upload a/b .",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
