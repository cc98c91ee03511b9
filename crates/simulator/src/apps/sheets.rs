//! Google Sheets v4, and the one call of Drive v3 that finds spreadsheets.

use http::Method;
use serde_json::{Value, json};

use super::google::{invalid, not_found, page, refuse};
use super::room::{Asked, Room, holds, ok};
use super::{App, any_credential, bearer, nothing_open};
use crate::exchange::Answer;

const MIME: &str = "application/vnd.google-apps.spreadsheet";
/// Columns of a sheet as it is made: A to Z.
const COLUMNS: usize = 26;

pub(super) const APP: App = App {
    slug: "google_sheets",
    seed: include_str!("seeds/google_sheets.json"),
    credential: bearer,
    plausible: any_credential,
    open: nothing_open,
    answer,
    refuse,
};

fn answer(room: &mut Room, asked: &Asked) -> Answer {
    match (asked.method, &asked.path()[..]) {
        ("GET", ["drive", "v3", "files"]) => files(room, asked),
        ("POST", ["v4", "spreadsheets"]) => create(room, asked),
        ("GET", ["v4", "spreadsheets", id]) => {
            let found = room.find("spreadsheets", "spreadsheetId", id);
            found.map_or_else(not_found, |book| ok(&without_values(book)))
        }
        (method, ["v4", "spreadsheets", id, "values", range]) => {
            let (range, appends) = match range.strip_suffix(":append") {
                Some(range) => (range, true),
                None => (*range, false),
            };
            let Some(book) = room.find_mut("spreadsheets", "spreadsheetId", id) else {
                return not_found();
            };
            values(book, asked, (method, appends), range)
        }
        _ => not_found(),
    }
}

/// Reads `name contains 'x'` out of the query and takes the rest for said.
fn files(room: &Room, asked: &Asked) -> Answer {
    let query = asked.word("q");
    if !query.contains(MIME) {
        return invalid("Only spreadsheets are here: ask for their mimeType.");
    }
    let word = query.split("name contains '").nth(1).and_then(|it| it.split('\'').next());
    let fits = |it: &&Value| holds(&it["properties"]["title"], word.unwrap_or(""));
    let file = |it: &Value| {
        let name = &it["properties"]["title"];
        json!({ "id": it["spreadsheetId"], "name": name, "mimeType": MIME })
    };
    let items = room.all("spreadsheets").iter().filter(fits).map(file).collect();
    page(room, asked, ("files", items), "pageSize")
}

fn without_values(book: &Value) -> Value {
    let mut book = book.clone();
    for sheet in book["sheets"].as_array_mut().into_iter().flatten() {
        if let Some(sheet) = sheet.as_object_mut() {
            sheet.remove("values");
        }
    }
    book
}

fn create(room: &mut Room, asked: &Asked) -> Answer {
    let number = room.next();
    let id = format!("1SimSpreadsheet{number:04}");
    let asked_for = asked.sent["sheets"].as_array().filter(|it| !it.is_empty()).cloned();
    let sheets = asked_for.unwrap_or_else(|| vec![json!({ "properties": { "title": "Sheet1" } })]);
    let sheet = |(index, it): (usize, &Value)| {
        json!({ "properties": { "sheetId": index, "index": index,
            "title": it["properties"]["title"] }, "values": [] })
    };
    let book = json!({
        "spreadsheetId": id,
        "properties": { "title": asked.sent["properties"]["title"].as_str().unwrap_or("Untitled") },
        "spreadsheetUrl": format!("https://docs.google.com/spreadsheets/d/{id}/edit"),
        "sheets": sheets.iter().enumerate().map(sheet).collect::<Value>(),
    });
    room.rows("spreadsheets").push(book.clone());
    ok(&without_values(&book))
}

fn values(book: &mut Value, asked: &Asked, how: (&str, bool), range: &str) -> Answer {
    let Some(place) = Place::read(range, book) else {
        return invalid(&format!("Unable to parse range: {range}"));
    };
    let id = book["spreadsheetId"].clone();
    let Some(sheet) = book["sheets"].as_array_mut().and_then(|it| it.get_mut(place.sheet)) else {
        return not_found();
    };
    let title = sheet["properties"]["title"].as_str().unwrap_or("").to_owned();
    let Some(rows) = sheet["values"].as_array_mut() else { return not_found() };
    if how == (Method::GET.as_str(), false) {
        let cells = place.cut(rows);
        let mut body = json!({ "range": place.name(&title), "majorDimension": "ROWS" });
        if !cells.is_empty() {
            body["values"] = json!(cells);
        }
        return ok(&body);
    }
    if !["RAW", "USER_ENTERED"].contains(&asked.query.get("valueInputOption")) {
        return invalid("'valueInputOption' is required but not specified");
    }
    let Some(sent) = asked.sent["values"].as_array() else { return invalid("No values.") };
    let first = match how {
        ("POST", true) => rows.len(),
        ("PUT", false) => place.rows.0,
        _ => return not_found(),
    };
    let count = write(rows, first, place.columns.0, sent);
    let place = Place { rows: (first, first + sent.len().max(1) - 1), ..place };
    let updates = json!({ "spreadsheetId": id, "updatedRange": place.name(&title),
        "updatedRows": sent.len(), "updatedCells": count });
    if how.1 { ok(&json!({ "spreadsheetId": id, "updates": updates })) } else { ok(&updates) }
}

/// Writes cells; `null` leaves what is there. The number of cells written.
fn write(rows: &mut Vec<Value>, first: usize, column: usize, sent: &[Value]) -> usize {
    let mut count = 0;
    for (number, line) in sent.iter().enumerate() {
        while rows.len() <= first + number {
            rows.push(json!([]));
        }
        let Some(row) = rows[first + number].as_array_mut() else { continue };
        for (offset, cell) in line.as_array().into_iter().flatten().enumerate() {
            while row.len() <= column + offset {
                row.push(json!(""));
            }
            if !cell.is_null() {
                row[column + offset] = cell.clone();
                count += 1;
            }
        }
    }
    count
}

/// A range in A1 notation, counted from 0, both ends in it.
struct Place {
    sheet: usize,
    rows: (usize, usize),
    columns: (usize, usize),
}

impl Place {
    /// `Sheet1`, `'My sheet'!A2:C`, `A1`, `2:2`.
    fn read(range: &str, book: &Value) -> Option<Self> {
        let sheets = book["sheets"].as_array()?;
        let number = |title: &str| {
            let title = title.trim_matches('\'').replace("''", "'");
            sheets.iter().position(|it| it["properties"]["title"] == title.as_str())
        };
        let everything = ((0, usize::MAX), (0, COLUMNS - 1));
        let (sheet, cells) = match range.rsplit_once('!') {
            Some((title, cells)) => (number(title)?, Some(cells)),
            None => match number(range) {
                Some(sheet) => (sheet, None),
                None => (0, Some(range)),
            },
        };
        let Some(cells) = cells else {
            return Some(Self { sheet, rows: everything.0, columns: everything.1 });
        };
        let (from, to) = cells.split_once(':').unwrap_or((cells, cells));
        let (from, to) = (corner(from)?, corner(to)?);
        let rows = (from.1.unwrap_or(0), to.1.unwrap_or(usize::MAX));
        let columns = (from.0.unwrap_or(0), to.0.unwrap_or(COLUMNS - 1));
        Some(Self { sheet, rows, columns })
    }

    /// The cells inside, without the empty ones at the ends, as Sheets answers.
    fn cut(&self, rows: &[Value]) -> Vec<Vec<Value>> {
        let inside = rows.iter().take(self.rows.1.saturating_add(1)).skip(self.rows.0);
        let cells = |row: &Value| {
            let row = row.as_array().cloned().unwrap_or_default();
            let width = self.columns.1 + 1 - self.columns.0;
            let mut row: Vec<Value> = row.into_iter().skip(self.columns.0).take(width).collect();
            while row.last().is_some_and(|it| it == "") {
                row.pop();
            }
            row
        };
        let mut found: Vec<Vec<Value>> = inside.map(cells).collect();
        while found.last().is_some_and(Vec::is_empty) {
            found.pop();
        }
        found
    }

    fn name(&self, title: &str) -> String {
        let row = |it: usize| it.min(999) + 1;
        let (from, to) = (letter(self.columns.0), letter(self.columns.1));
        format!("{title}!{from}{}:{to}{}", row(self.rows.0), row(self.rows.1))
    }
}

fn letter(column: usize) -> char {
    char::from(b'A' + u8::try_from(column.min(COLUMNS - 1)).unwrap_or(0))
}

/// `B7` is column 1 and row 6; either may be missing.
fn corner(text: &str) -> Option<(Option<usize>, Option<usize>)> {
    let digits = text.trim_start_matches(|it: char| it.is_ascii_uppercase());
    let letters = &text[..text.len() - digits.len()];
    let value = |it: u8| usize::from(it - b'A') + 1;
    let column = letters.bytes().fold(0, |sum, it| sum * COLUMNS + value(it)).checked_sub(1);
    let row = match digits {
        "" => None,
        _ => Some(digits.parse::<usize>().ok()?.checked_sub(1)?),
    };
    Some((column, row)).filter(|it| *it != (None, None))
}
