//! Lines in the width of a terminal: words that wrap, columns that stand below each other.

use oam_model::line::{Line, Style};
use unicode_width::UnicodeWidthChar;

/// Columns of a table stand this far apart.
const GAP: usize = 2;
/// No column becomes narrower than this for the sake of the others.
const NARROWEST: usize = 6;

/// A character as it is printed.
type Glyph = (Style, char);

fn glyphs(line: &Line) -> Vec<Glyph> {
    let pieces = line.pieces().map(|(look, text)| {
        let glyphs: Vec<Glyph> = text.chars().map(|c| (look, c)).collect();
        glyphs
    });
    pieces.flatten().collect()
}

fn width(glyphs: &[Glyph]) -> usize {
    glyphs.iter().map(|(_, c)| c.width().unwrap_or(0)).sum()
}

fn line(glyphs: &[Glyph]) -> Line {
    let mut line = Line::new();
    for run in glyphs.chunk_by(|a, b| a.0 == b.0) {
        let text: String = run.iter().map(|(_, c)| *c).collect();
        line = line.look(run[0].0, text);
    }
    line
}

/// How many glyphs fit into `room`; one at least.
fn fitting(glyphs: &[Glyph], room: usize) -> usize {
    let mut used = 0;
    let fits = glyphs.iter().take_while(|(_, c)| {
        used += c.width().unwrap_or(0);
        used <= room
    });
    fits.count().max(1)
}

/// Pieces of at most `room`, broken at blanks; a word that is longer is broken behind a sign where `hard`, and
/// left whole elsewhere: it may be an address that somebody wants to copy.
fn broken(mut rest: &[Glyph], room: usize, hard: bool) -> Vec<&[Glyph]> {
    let mut pieces = Vec::new();
    while width(rest) > room {
        let most = fitting(rest, room);
        let text = rest.iter().take_while(|(_, c)| *c == ' ').count();
        let blank = (text + 1..=most.min(rest.len() - 1)).rfind(|at| rest[*at].1 == ' ');
        let sign = |at: &usize| "/-_,:;".contains(rest[*at - 1].1);
        let at = match blank {
            Some(at) => at,
            None if hard => (most / 2 + 1..=most).rfind(sign).unwrap_or(most),
            None => match (most..rest.len()).find(|at| rest[*at].1 == ' ') {
                Some(at) => at,
                None => break,
            },
        };
        pieces.push(&rest[..at]);
        let blanks = rest[at..].iter().take_while(|(_, c)| *c == ' ').count();
        rest = &rest[at + blanks..];
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// A line as lines of this width; what it was indented by, the others are, and `hang` more.
pub fn wrapped(text: &Line, columns: usize, hang: usize) -> Vec<Line> {
    let glyphs = glyphs(text);
    if width(&glyphs) <= columns {
        return vec![text.clone()];
    }
    let indent = glyphs.iter().take_while(|(_, c)| *c == ' ').count();
    let blank = vec![(Style::Plain, ' '); indent + hang];
    // The first line has room for what hangs, too; it is not used, so that one width serves all.
    let room = columns.saturating_sub(indent + hang).max(NARROWEST);
    let pieces = broken(&glyphs[indent..], room, false);
    let lines = pieces.iter().enumerate().map(|(at, piece)| {
        let before = if at == 0 { &blank[hang..] } else { &blank };
        line(&[before, piece].concat())
    });
    lines.collect()
}

/// Rows as lines whose columns stand below each other, all but the last one padded; with `columns` no wider
/// than that, as far as it goes: the widest columns are broken.
pub fn table(rows: &[Vec<Line>], columns: Option<usize>) -> Vec<Line> {
    let cells: Vec<Vec<Vec<Glyph>>> = rows
        .iter()
        .map(|row| row.iter().map(glyphs).collect())
        .collect();
    let count = cells.iter().map(Vec::len).max().unwrap_or(0);
    let natural = (0..count).map(|at| {
        let column = cells.iter().filter_map(|row| row.get(at));
        column.map(|cell| width(cell)).max().unwrap_or(0)
    });
    let widths = shrunk(natural.collect(), columns);
    cells
        .iter()
        .flat_map(|row| row_lines(row, &widths))
        .collect()
}

/// The widest column gives, until all of them fit.
fn shrunk(mut widths: Vec<usize>, columns: Option<usize>) -> Vec<usize> {
    let Some(columns) = columns else {
        return widths;
    };
    let room = columns.saturating_sub(GAP * widths.len().saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => break,
        }
    }
    widths
}

fn row_lines(row: &[Vec<Glyph>], widths: &[usize]) -> Vec<Line> {
    let parts: Vec<Vec<Vec<Glyph>>> = row
        .iter()
        .zip(widths)
        .map(|(cell, room)| cell_lines(cell, *room))
        .collect();
    let height = parts.iter().map(Vec::len).max().unwrap_or(0);
    let lines = (0..height).map(|level| {
        let mut out: Vec<Glyph> = Vec::new();
        let mut column = 0;
        for (cell, room) in parts.iter().zip(widths) {
            if let Some(piece) = cell.get(level).filter(|piece| !piece.is_empty()) {
                // Nothing is padded behind the last one.
                let at = width(&out);
                out.extend(std::iter::repeat_n((Style::Plain, ' '), column - at));
                out.extend_from_slice(piece);
            }
            column += room + GAP;
        }
        line(&out)
    });
    lines.collect()
}

/// A cell's lines; all are indented as the first one is.
fn cell_lines(cell: &[Glyph], room: usize) -> Vec<Vec<Glyph>> {
    if width(cell) <= room {
        return vec![cell.to_vec()];
    }
    let indent = cell.iter().take_while(|(_, c)| *c == ' ').count();
    let indent = indent.min(room.saturating_sub(1));
    let pieces = broken(&cell[indent..], room - indent, true);
    let lines = pieces.iter().map(|piece| [&cell[..indent], piece].concat());
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::{Line, NARROWEST, Style, glyphs, table, width, wrapped};
    use proptest::prelude::*;

    fn shown(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| line.render(false)).collect()
    }

    #[test]
    fn columns_line_up_by_what_is_printed() {
        let rows = vec![
            vec![Line::from("模型"), Line::from("b")],
            vec![Line::from("é"), Line::from("b")],
            vec![Line::from("long\n"), Line::from("c")],
        ];
        assert_eq!(
            shown(&table(&rows, None)),
            ["模型   b", "é      b", "long?  c"]
        );
    }

    #[test]
    fn the_widest_column_is_broken_where_the_terminal_is_narrow() {
        let row = |a: &str, b: &str, c: &str| vec![Line::from(a), Line::from(b), Line::from(c)];
        let rows = [
            row("ROLE", "REPOSITORY", "LEFT"),
            row("  reader", "acme/a-model-with-a-long-name", "9 min 3 s"),
        ];
        assert_eq!(
            shown(&table(&rows, Some(37))),
            [
                "ROLE      REPOSITORY        LEFT",
                "  reader  acme/a-model-     9 min 3 s",
                "          with-a-long-name",
            ]
        );
    }

    #[test]
    fn words_wrap_below_their_line_and_an_address_stays_whole() {
        let line = Line::from("  open https://idp.example/authorize?x=1 in a browser");
        assert_eq!(
            shown(&wrapped(&line, 20, 2)),
            [
                "  open",
                "    https://idp.example/authorize?x=1",
                "    in a browser"
            ]
        );
        assert_eq!(wrapped(&line, 80, 2), std::slice::from_ref(&line));
    }

    #[test]
    fn a_look_goes_on_behind_a_break() {
        let line = Line::new().text("a ").look(Style::Bad, "refused again");
        let lines: Vec<String> = wrapped(&line, 10, 0)
            .iter()
            .map(|l| l.render(true))
            .collect();
        assert_eq!(
            lines,
            ["a \u{1b}[31mrefused\u{1b}[0m", "\u{1b}[31magain\u{1b}[0m"]
        );
    }

    proptest! {
        #[test]
        fn a_table_fits_and_loses_nothing(
            cells in prop::collection::vec("[a-z/ -]{0,40}", 3..12),
            columns in 30usize..100,
        ) {
            let rows: Vec<Vec<Line>> = cells
                .chunks(3)
                .map(|row| row.iter().map(|cell| Line::from(cell.as_str())).collect())
                .collect();
            let lines = table(&rows, Some(columns));
            for line in &lines {
                prop_assert!(width(&glyphs(line)) <= columns.max(3 * NARROWEST + 4));
            }
            let letters = |text: &str| {
                let mut all: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
                all.sort_unstable();
                all
            };
            prop_assert_eq!(letters(&shown(&lines).concat()), letters(&cells.concat()));
        }
    }
}
