//! A page of plain Markdown: headings, paragraphs, lists of one level, blocks of code, `code` within a line. The
//! pages are ours and compiled in; a test says so when one has more than that.

use clap_mangen::roff::{Inline, Roff, bold, roman};
use oam_terminal::{Line, Style};

/// Where the width is not told.
const WIDTH: usize = 80;
/// Wider lines are hard to read.
const WIDEST: usize = 100;

/// The width to wrap to, in output this wide.
pub fn columns(output: Option<usize>) -> usize {
    output.unwrap_or(WIDTH).clamp(20, WIDEST)
}

#[derive(Debug, PartialEq, Eq)]
enum Block {
    Title(String),
    Heading(String),
    Paragraph(String),
    Item(String),
    Code(Vec<String>),
}

/// A page, read.
#[derive(Debug, PartialEq, Eq)]
pub struct HelpPage(Vec<Block>);

impl HelpPage {
    /// Reads Markdown.
    pub fn read(text: &str) -> Self {
        let mut blocks = Vec::new();
        let mut code: Option<Vec<String>> = None;
        // Whether the next line goes on with the last block.
        let mut open = false;
        for line in text.lines() {
            if line.starts_with("```") {
                match code.take() {
                    Some(lines) => blocks.push(Block::Code(lines)),
                    None => code = Some(Vec::new()),
                }
                open = false;
            } else if let Some(lines) = &mut code {
                lines.push(line.to_owned());
            } else if line.trim().is_empty() {
                open = false;
            } else if let Some(title) = line.strip_prefix("# ") {
                blocks.push(Block::Title(title.to_owned()));
            } else if let Some(heading) = line.strip_prefix("## ") {
                blocks.push(Block::Heading(heading.to_owned()));
            } else if let Some(item) = line.strip_prefix("- ") {
                blocks.push(Block::Item(item.to_owned()));
                open = true;
            } else if let (true, Some(Block::Paragraph(text) | Block::Item(text))) =
                (open, blocks.last_mut())
            {
                text.push(' ');
                text.push_str(line.trim());
            } else {
                blocks.push(Block::Paragraph(line.to_owned()));
                open = true;
            }
        }
        Self(blocks)
    }

    /// As lines for a terminal of this width.
    pub fn lines(&self, width: usize) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let mut before: Option<&Block> = None;
        for block in &self.0 {
            let close = matches!(
                (before, block),
                (None | Some(Block::Heading(_)), _) | (Some(Block::Item(_)), Block::Item(_))
            );
            if !close {
                lines.push(Line::new());
            }
            match block {
                Block::Title(text) | Block::Heading(text) => {
                    lines.push(Line::new().look(Style::Strong, text.as_str()));
                }
                Block::Paragraph(text) => {
                    lines.extend(wrapped(text, "", "", width).into_iter().map(Line::from));
                }
                Block::Item(text) => {
                    lines.extend(wrapped(text, "- ", "  ", width).into_iter().map(Line::from));
                }
                Block::Code(code) => {
                    lines.extend(code.iter().map(|line| Line::from(format!("    {line}"))));
                }
            }
            before = Some(block);
        }
        lines
    }

    /// As a page of the manual's section 7.
    pub fn roff(&self, name: &str, about: &str) -> String {
        let mut roff = Roff::new();
        roff.control("TH", [name, "7"]);
        roff.control("SH", ["NAME"]);
        roff.text([roman(format!("{name} - ")), roman(about.replace('`', ""))]);
        roff.control("SH", ["DESCRIPTION"]);
        for block in &self.0 {
            match block {
                Block::Title(_) => {}
                Block::Heading(text) => {
                    roff.control("SH", [text.to_uppercase().as_str()]);
                }
                Block::Paragraph(text) => {
                    roff.control("PP", []);
                    roff.text(inlines(text));
                }
                Block::Item(text) => {
                    roff.control("IP", ["-", "2"]);
                    roff.text(inlines(text));
                }
                Block::Code(lines) => {
                    roff.control("PP", []);
                    roff.control("RS", ["4"]);
                    roff.control("nf", []);
                    for line in lines {
                        roff.text([roman(line.as_str())]);
                    }
                    roff.control("fi", []);
                    roff.control("RE", []);
                }
            }
        }
        roff.render()
    }
}

/// Words in lines; one that is longer than a line gets one of its own.
fn wrapped(text: &str, first: &str, others: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        let long = line.chars().count() + 1 + word.chars().count() > width;
        if !empty && long {
            lines.push(std::mem::replace(&mut line, others.to_owned()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

/// `code` is bold in a manual.
fn inlines(text: &str) -> Vec<Inline> {
    let pieces = text.split('`').enumerate();
    pieces
        .filter(|(_, piece)| !piece.is_empty())
        .map(|(at, piece)| {
            if at % 2 == 1 {
                bold(piece)
            } else {
                roman(piece)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::TOPICS;
    use super::{Block, HelpPage};

    fn shown(text: &str, width: usize) -> Vec<String> {
        let lines = HelpPage::read(text).lines(width);
        lines.iter().map(|line| line.render(false)).collect()
    }

    #[test]
    fn paragraphs_and_items_are_wrapped_and_code_is_not() {
        let text = "# a: b\n\none two\nthree\n\n## H\n- item of some\n  words\n- next\n\n```\ncode  as it is, however long\n```\n";
        assert_eq!(
            shown(text, 12),
            [
                "a: b",
                "",
                "one two",
                "three",
                "",
                "H",
                "- item of",
                "  some words",
                "- next",
                "",
                "    code  as it is, however long",
            ]
        );
    }

    #[test]
    fn a_manual_page_has_its_parts_and_hides_no_line() {
        let roff = HelpPage::read("# a: b\n\nUse `x -y`.\n\n```\n.dot\n```\n").roff("oam-a", "b");
        for part in [
            ".TH oam-a 7",
            ".SH NAME",
            "\\fBx \\-y\\fR",
            "\\&.dot",
            ".nf",
        ] {
            assert!(roff.contains(part), "{part}: {roff}");
        }
    }

    #[test]
    fn the_pages_have_nothing_that_is_not_read_and_code_that_fits() {
        for topic in TOPICS {
            let name = topic.name;
            let page = HelpPage::read(topic.text);
            assert_eq!(
                page.0.first(),
                Some(&Block::Title(format!("oam {name}: {}", topic.about)))
            );
            for block in &page.0[1..] {
                match block {
                    Block::Title(text) => panic!("{name}: a second title, {text}"),
                    Block::Code(lines) => {
                        let long = lines.iter().find(|line| line.chars().count() > 120);
                        assert_eq!(long, None, "{name}");
                    }
                    Block::Heading(text) | Block::Paragraph(text) | Block::Item(text) => {
                        let odd = ["**", "](", "|--", "### ", "<"]
                            .iter()
                            .find(|odd| text.contains(**odd));
                        assert_eq!(odd, None, "{name}: {text}");
                        assert_eq!(text.matches('`').count() % 2, 0, "{name}: {text}");
                    }
                }
            }
        }
    }
}
