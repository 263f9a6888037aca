//! `lab run --html`: everything on one page that needs no other file.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use selkey::lab::{self, ExperimentReport, Runs, Verdict};

use super::explain::paragraphs;
use super::words::{self, Summary};
use crate::cli::plot::svg;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --dim: #57606a; --line: #d0d7de;
  --pass: #116329; --skipped: #57606a; --differs: #8a5300; --fail: #a40e26; --link: #0550ae; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --dim: #9aa4af; --line: #30363d;
  --pass: #56d364; --skipped: #9aa4af; --differs: #e3b341; --fail: #ff7b72; --link: #79c0ff; } }
body { color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h2 { border-top: 1px solid var(--line); padding-top: 1rem; margin-top: 2rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
a { color: var(--link); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; white-space: pre-wrap; }
th { font-weight: normal; color: var(--dim); width: 35%; }
.verdicts td:first-child { width: 6rem; }
b { letter-spacing: .03em; }
.PASS { color: var(--pass); } .SKIPPED { color: var(--skipped); } .DIFFERS { color: var(--differs); } .FAIL { color: var(--fail); }
.dim { color: var(--dim); }
figure { margin: 1rem 0; overflow-x: auto; }
svg { display: block; min-width: 40rem; max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
details { margin-top: 1rem; }
summary { cursor: pointer; }
";

pub fn page(runs: &Runs, reports: &[ExperimentReport]) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    head(&mut page, &Summary(reports))?;
    verdicts(&mut page, reports)?;
    for report in reports {
        experiment(&mut page, report)?;
    }
    environment(&mut page, runs)?;
    Ok(page)
}

fn head(page: &mut Vec<u8>, summary: &Summary<'_>) -> io::Result<()> {
    write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>selkey lab: {summary}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>What sockets do on this machine</h1>\n<p>{summary}. <a href=\"#machine\">The machine</a></p>\n"
    )
}

fn verdicts(page: &mut Vec<u8>, reports: &[ExperimentReport]) -> io::Result<()> {
    writeln!(page, "<table class=\"verdicts\">")?;
    for report in reports {
        let (name, question) = (Escaped(report.experiment.name), Escaped(report.experiment.question));
        let verdict = Badge(report.verdict());
        writeln!(page, "<tr><td>{verdict}</td><td><a href=\"#{name}\">{name}</a><br/>{question}</td></tr>")?;
    }
    writeln!(page, "</table>")
}

fn experiment(page: &mut Vec<u8>, report: &ExperimentReport) -> io::Result<()> {
    let (name, question) = (Escaped(report.experiment.name), Escaped(report.experiment.question));
    writeln!(page, "<h2 id=\"{name}\">{name}</h2>\n<p>{question}</p>")?;
    for claim in &report.claims {
        writeln!(page, "<h3>{} {}</h3>", Badge(claim.verdict()), Escaped(claim.claim.says))?;
        rows(page, words::rows(claim))?;
        let figures = &words::telling(claim).figures;
        if !figures.is_empty() {
            writeln!(page, "<figure>{}</figure>", inline(&svg(figures)?))?;
        }
    }
    explanation(page, report)
}

fn explanation(page: &mut Vec<u8>, report: &ExperimentReport) -> io::Result<()> {
    writeln!(page, "<details open=\"open\"><summary>Why</summary>")?;
    for paragraph in paragraphs(report.experiment) {
        writeln!(page, "<p>{}</p>", Escaped(&paragraph))?;
    }
    let sources = report.experiment.sources.join("; ");
    writeln!(page, "<p class=\"dim\">Where it is written: {}</p>\n</details>", Escaped(&sources))
}

fn environment(page: &mut Vec<u8>, runs: &Runs) -> io::Result<()> {
    writeln!(page, "<h2 id=\"machine\">The machine</h2>")?;
    let asked = [("repeats", runs.repeats.to_string()), ("seed", runs.seed.to_string())];
    let asked = asked.into_iter().map(|(name, value)| (name.to_owned(), value));
    rows(page, lab::environment().into_iter().chain(asked))?;
    writeln!(page, "</body>\n</html>")
}

fn rows(page: &mut Vec<u8>, rows: impl IntoIterator<Item = (String, String)>) -> io::Result<()> {
    writeln!(page, "<table>")?;
    for (name, value) in rows {
        writeln!(page, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", Escaped(&name), Escaped(&value))?;
    }
    writeln!(page, "</table>")
}

/// A picture within a page needs no namespace, which would be the only address of the page.
fn inline(svg: &str) -> String {
    svg.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", " role=\"img\"", 1)
}

struct Badge(Verdict);

impl fmt::Display for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<b class=\"{0}\">{0}</b>", self.0)
    }
}

/// Text that means nothing but itself, within and without quotes. XML has no control characters, not even escaped.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c if c.is_control() || ['\u{fffe}', '\u{ffff}'].contains(&c) => f.write_char(char::REPLACEMENT_CHARACTER),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_nothing_but_itself() {
        assert_eq!(Escaped("<a b='c'> & \"d\"\0é").to_string(), "&lt;a b=&#39;c&#39;&gt; &amp; &quot;d&quot;\u{fffd}é");
    }
    #[test]
    fn a_picture_in_the_page_has_no_address() {
        let picture = inline(&svg(&[]).unwrap());
        assert!(picture.starts_with("<svg ") && picture.contains(" role=\"img\"") && !picture.contains("http:"));
    }
}
