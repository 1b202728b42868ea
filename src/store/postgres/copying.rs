//! Copies of the main database: taken in one read-only moment of it, and put into an empty one.
//!
//! Rows are copied as the server sends them (its binary form), with the names of their columns, so
//! that a copy fits every engine with the same tables. The slots database is never read for a
//! copy. Nothing is put back before the whole copy is proven, and then all of it or nothing.
//!
//! A file of a copy is borsh: the names of the columns, then rows, each a list of optional values.

use std::collections::{BTreeSet, HashSet};
use std::error::Error;
use std::io::{ErrorKind, Read};
use std::path::Path;

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::BytesMut;
use deadpool_postgres::{ClientWrapper, Object};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{IsolationLevel, Row};

use super::PostgresConfig;
use super::connect::Database;
use super::migrations::{MAIN, SLOTS, Tables};
use super::slots::NAMES_SLOT;
use crate::domain::leaf::Leaf;
use crate::domain::merkle::Tree;
use crate::domain::seal::Sealed;
use crate::domain::time::When;
use crate::store::backup::{
    CHECKPOINT, Copied, Copy, CopyError, CopyWriter, FileEntry, Kind, PutBack, acknowledged,
};
use crate::store::names::Names;

/// What each database has for itself.
const OWN: [&str; 3] = ["migrations", "turn", "restored"];
/// Rows in one answer of the server.
const ROWS_READ: i32 = 1000;
/// Rows in one statement, so that its parameters stay below the protocol's limit.
pub(super) const ROWS_WRITTEN: usize = 200;
/// A file of a copy is closed when it is larger than this.
const FILE_BYTES: usize = 32 * 1024 * 1024;

/// The versions of the tables that brought the mark of a restore, and legal holds.
const MARKED: u32 = 2;
const HOLDS: u32 = 3;

/// One value as the server sends it.
pub(super) type Value = Option<Vec<u8>>;

struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A value on its way to the server.
#[derive(Debug)]
struct Given<'a>(&'a Value);

impl ToSql for Given<'_> {
    fn to_sql(&self, _: &Type, to: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.0 {
            None => Ok(IsNull::Yes),
            Some(bytes) => {
                to.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl From<tokio_postgres::Error> for CopyError {
    fn from(error: tokio_postgres::Error) -> Self {
        // The server's own text may repeat a value.
        let code = error
            .code()
            .map_or("it does not answer", |code| code.code());
        Self::Database(code.to_owned())
    }
}

impl From<super::OpenError> for CopyError {
    fn from(error: super::OpenError) -> Self {
        Self::Database(error.to_string())
    }
}

pub(super) async fn connect(
    url: &str,
    tls: Option<&rustls::ClientConfig>,
) -> Result<(Database, ClientWrapper), CopyError> {
    let database = Database::new(url, tls, 2)?;
    let client = database.get().await.map_err(super::connect::unreachable)?;
    Ok((database, Object::take(client)))
}

/// Copies the main database to the new file `to`, while gateways use it.
///
/// # Errors
/// The log in the database is damaged, or `to` cannot be written; then it does not exist.
pub async fn backup(
    config: PostgresConfig,
    to: &Path,
    made: When,
    progress: &mut dyn FnMut(u64),
) -> Result<Copied, CopyError> {
    let names = Names::new(config.keys.index_key.clone());
    let log = config.keys.log.verifier();
    let (_, mut client) = connect(&config.url, config.tls.as_ref()).await?;
    let known = MAIN.steps.len() as u32;
    let sql = "SELECT 1 FROM information_schema.schemata WHERE schema_name = 'firedoor'";
    if client.query_opt(sql, &[]).await?.is_none() {
        return Err(CopyError::Empty);
    }
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let sql = "SELECT max(version) FROM firedoor.migrations";
    let version: Option<i64> = transaction.query_one(sql, &[]).await?.try_get(0)?;
    if version != Some(i64::from(known)) {
        let what = "its tables are not of this program's version: start the gateway once";
        return Err(CopyError::Database(what.to_owned()));
    }
    if transaction
        .query_opt("SELECT 1 FROM firedoor.restored", &[])
        .await?
        .is_some()
    {
        return Err(CopyError::Unrecorded);
    }
    let sql = "SELECT checkpoint, key_check FROM firedoor.head WHERE one = 1";
    let head = transaction
        .query_opt(sql, &[])
        .await?
        .ok_or(CopyError::Empty)?;
    if head.try_get::<_, &[u8]>(1)? != names.check() {
        return Err(CopyError::Database(
            "the root key is not the one it was written with".to_owned(),
        ));
    }
    let note: String = head.try_get(0)?;
    let head = log.verify(&note).map_err(|_| wrong_log())?;
    if head.size == 0 {
        return Err(CopyError::Empty);
    }

    let mut copy = CopyWriter::create(to)?;
    let mut chain = Leaves::default();
    let sql = "SELECT table_name FROM information_schema.tables \
               WHERE table_schema = 'firedoor' ORDER BY table_name";
    for row in transaction.query(sql, &[]).await? {
        let table: String = row.try_get(0)?;
        if OWN.contains(&table.as_str()) {
            continue;
        }
        let order = if table == "leaves" {
            " ORDER BY idx"
        } else {
            ""
        };
        let sql = format!("SELECT * FROM firedoor.{table}{order}");
        let statement = transaction.prepare(&sql).await?;
        let columns = statement.columns().iter();
        let columns: Vec<String> = columns.map(|column| column.name().to_owned()).collect();
        let portal = transaction.bind(&statement, &[]).await?;
        let (mut file, mut bytes) = (0, encoded(&columns));
        loop {
            let rows = transaction.query_portal(&portal, ROWS_READ).await?;
            let done = rows.is_empty();
            for row in rows {
                let values = values(&row)?;
                if table == "leaves" {
                    chain.take(&columns, &values).ok_or_else(wrong_log)?;
                    progress(chain.tree.size());
                }
                values
                    .serialize(&mut bytes)
                    .map_err(|source| CopyError::io(to, source))?;
            }
            if done || bytes.len() >= FILE_BYTES {
                file += 1;
                copy.add(&format!("tables/{table}/{file:010}"), &bytes)?;
                bytes = encoded(&columns);
            }
            if done {
                break;
            }
        }
    }
    if (head.size, head.root) != (chain.tree.size(), chain.tree.root()) {
        return Err(wrong_log());
    }
    copy.add(CHECKPOINT, note.as_bytes())?;
    let kind = Kind::Postgres { tables: known };
    copy.finish(&names, kind, &head, When::from_millis(chain.at), made)
}

fn wrong_log() -> CopyError {
    CopyError::Database("the log's head does not follow from its leaves and the log key".to_owned())
}

fn encoded(columns: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = columns.serialize(&mut bytes);
    bytes
}

fn values(row: &Row) -> Result<Vec<Value>, CopyError> {
    let mut values = Vec::with_capacity(row.len());
    for column in 0..row.len() {
        let value: Option<Raw> = row.try_get(column)?;
        values.push(value.map(|raw| raw.0));
    }
    Ok(values)
}

/// The leaves seen so far, in order.
#[derive(Default)]
pub(super) struct Leaves {
    pub(super) tree: Tree,
    pub(super) at: i64,
}

impl Leaves {
    /// `None` unless it is the next leaf.
    fn take(&mut self, columns: &[String], values: &[Value]) -> Option<()> {
        let index: [u8; 8] = column(columns, values, "idx")?.try_into().ok()?;
        let leaf = Leaf::parse(column(columns, values, "leaf")?).ok()?;
        self.at = self.at.max(leaf.when().millis());
        (self.tree.append(&leaf) == u64::from_be_bytes(index)).then_some(())
    }
}

fn column<'a>(columns: &[String], values: &'a [Value], name: &str) -> Option<&'a [u8]> {
    let place = columns.iter().position(|column| column == name)?;
    values.get(place)?.as_deref()
}

/// The slots that a copy names, and whom it belongs to.
#[derive(Default)]
struct Contents {
    leaves: Leaves,
    items: BTreeSet<i64>,
    openings: BTreeSet<i64>,
    twin: Vec<u8>,
}

impl Contents {
    fn take(&mut self, table: &str, columns: &[String], values: &[Value]) -> Option<()> {
        match table {
            "leaves" => {
                self.leaves.take(columns, values)?;
                let sealed = Sealed::try_from_slice(column(columns, values, "opening")?).ok()?;
                self.openings.insert(sealed.slot().0.cast_signed());
            }
            "items" | "kept" => {
                let slot: [u8; 8] = column(columns, values, "slot")?.try_into().ok()?;
                self.items.insert(i64::from_be_bytes(slot));
            }
            "head" => self.twin = column(columns, values, "twin")?.to_vec(),
            _ => {}
        }
        Some(())
    }
}

/// The rows of a copy, file by file.
struct Rows<'c> {
    copy: &'c Copy,
    files: std::slice::Iter<'c, FileEntry>,
    file: &'c str,
    table: String,
    columns: Vec<String>,
    from: Option<Box<dyn Read>>,
}

impl<'c> Rows<'c> {
    fn new(copy: &'c Copy) -> Self {
        Self {
            copy,
            files: copy.manifest.files.iter(),
            file: "",
            table: String::new(),
            columns: Vec::new(),
            from: None,
        }
    }

    /// The next row, of [`Rows::table`] with [`Rows::columns`].
    fn next_row(&mut self) -> Result<Option<Vec<Value>>, CopyError> {
        loop {
            if let Some(from) = &mut self.from {
                let row = next_row(from).map_err(|_| self.copy.changed(self.file))?;
                match row {
                    Some(row) if row.len() == self.columns.len() => return Ok(Some(row)),
                    Some(_) => return Err(self.copy.changed(self.file)),
                    None => self.from = None,
                }
            }
            let Some(entry) = self.files.next() else {
                return Ok(None);
            };
            if entry.name != CHECKPOINT {
                self.open(&entry.name)?;
            }
        }
    }

    fn open(&mut self, file: &'c str) -> Result<(), CopyError> {
        let changed = || self.copy.changed(file);
        let name = file.strip_prefix("tables/");
        let (table, _) = name
            .and_then(|name| name.split_once('/'))
            .ok_or_else(changed)?;
        let mut from = self.copy.stream(file)?;
        let columns = Vec::<String>::deserialize_reader(&mut from).map_err(|_| changed())?;
        if !is_name(table) || !columns.iter().all(|column| is_name(column)) {
            return Err(changed());
        }
        self.file = file;
        self.table = table.to_owned();
        self.columns = columns;
        self.from = Some(Box::new(from));
        Ok(())
    }
}

fn next_row(from: &mut impl Read) -> std::io::Result<Option<Vec<Value>>> {
    let mut first = [0; 1];
    match from.read_exact(&mut first) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
        Ok(()) => Vec::deserialize_reader(&mut first.chain(from)).map(Some),
    }
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !text.is_empty() && text.bytes().all(plain)
}

/// Puts the copy `from` into the main database, which must be empty. The slots database is the one
/// that belongs to the copy. `shown` are receipts and checkpoints that somebody kept.
///
/// # Errors
/// The copy is not whole, not ours, or of another log; or the databases are not those. Nothing is
/// written then.
pub async fn restore(
    from: &Path,
    config: PostgresConfig,
    shown: &[String],
    progress: &mut dyn FnMut(u64),
) -> Result<PutBack, CopyError> {
    let names = Names::new(config.keys.index_key.clone());
    let log = config.keys.log.verifier();
    let copy = Copy::open(from, &names, log)?;
    let Kind::Postgres { tables } = copy.manifest.kind else {
        return Err(CopyError::WrongKind);
    };
    let steps = MAIN.steps.get(..tables as usize);
    let steps = steps.ok_or_else(|| CopyError::Newer(from.to_owned()))?;
    if tables < MARKED {
        return Err(CopyError::NotCopy(from.to_owned()));
    }
    let mut contents = Contents::default();
    let mut rows = Rows::new(&copy);
    while let Some(row) = rows.next_row()? {
        let taken = contents.take(&rows.table, &rows.columns, &row);
        taken.ok_or_else(|| copy.changed(rows.file))?;
    }
    let (head, _) = copy.head(log)?;
    if (head.size, head.root) != (contents.leaves.tree.size(), contents.leaves.tree.root()) {
        return Err(copy.changed(CHECKPOINT));
    }
    let acknowledged = acknowledged(&head, &contents.leaves.tree, log, shown)?;

    let (missing, orphans) = compare_slots(&config, &contents).await?;
    let (database, mut client) = connect(&config.url, config.tls.as_ref()).await?;
    // The tables as they were when the copy was made; the gateway's start brings them up to date.
    Tables { steps, ..MAIN }.migrate(&database).await?;
    let transaction = client.transaction().await?;
    empty(&transaction).await?;
    let (mut rows, mut done) = (Rows::new(&copy), 0);
    let (mut table, mut columns, mut batch) = (String::new(), Vec::new(), Vec::new());
    while let Some(row) = rows.next_row()? {
        if table != rows.table || batch.len() == ROWS_WRITTEN {
            insert(&transaction, &table, &columns, &batch).await?;
            batch.clear();
            (table, columns) = (rows.table.clone(), rows.columns.clone());
            progress(head.size.min(done));
        }
        done += 1;
        batch.push(row);
    }
    insert(&transaction, &table, &columns, &batch).await?;
    // Erased after the copy; what no key opens any more is gone.
    for table in ["items", "kept"] {
        let sql = format!("DELETE FROM firedoor.{table} WHERE slot = ANY($1)");
        if table == "items" || tables >= HOLDS {
            transaction.execute(&sql, &[&missing]).await?;
        }
    }
    // Keys of lost entries: erased by whichever node starts first.
    let sql = "INSERT INTO firedoor.erasures (slot) SELECT o.slot FROM unnest($1::bigint[]) \
               AS o (slot) WHERE o.slot NOT IN (SELECT slot FROM firedoor.erasures)";
    transaction.execute(sql, &[&orphans]).await?;
    let sql = "INSERT INTO firedoor.restored (one, leaves, at, acknowledged, origin) \
               VALUES (1, $1, $2, $3, $4)";
    let (leaves, at) = (head.size.cast_signed(), copy.manifest.at.millis());
    let most = acknowledged.cast_signed();
    let mark: [&(dyn ToSql + Sync); 4] = [&leaves, &at, &most, &head.origin];
    transaction.execute(sql, &mark).await?;
    transaction.commit().await?;
    let bytes = copy.file().metadata();
    Ok(PutBack {
        copied: Copied {
            origin: head.origin,
            leaves: head.size,
            at: copy.manifest.at,
            bytes: bytes.map_err(|source| CopyError::io(from, source))?.len(),
        },
        acknowledged,
    })
}

/// Refuses a database that holds a log; a head without leaves is none.
pub(super) async fn empty(transaction: &tokio_postgres::Transaction<'_>) -> Result<(), CopyError> {
    let sql =
        "SELECT (SELECT count(*) FROM firedoor.leaves) + (SELECT count(*) FROM firedoor.items)";
    let found: i64 = transaction.query_one(sql, &[]).await?.try_get(0)?;
    if found > 0 {
        return Err(CopyError::NotEmptyDatabase);
    }
    transaction
        .execute("DELETE FROM firedoor.head", &[])
        .await?;
    Ok(())
}

/// Slots of the copy that hold no key any more, and keys that the copy does not name.
async fn compare_slots(
    config: &PostgresConfig,
    contents: &Contents,
) -> Result<(Vec<i64>, Vec<i64>), CopyError> {
    let (slots, client) = connect(&config.slots_url, config.tls.as_ref()).await?;
    SLOTS.migrate(&slots).await?;
    let twin = client
        .query_opt("SELECT id FROM firedoor_slots.twin", &[])
        .await?;
    let is_twin = twin.is_some_and(|row| {
        let id: Option<&[u8]> = row.try_get(0).ok();
        id == Some(&contents.twin[..])
    });
    if !is_twin {
        return Err(CopyError::SlotsMissing);
    }
    let mut there = HashSet::new();
    for row in client
        .query("SELECT slot FROM firedoor_slots.slots", &[])
        .await?
    {
        there.insert(row.try_get::<_, i64>(0)?);
    }
    // Accounts are erased when their time is over, never all of them: such keys were lost.
    let accounts = &contents.openings;
    if !accounts.is_empty() && accounts.iter().all(|slot| !there.contains(slot)) {
        return Err(CopyError::SlotsMissing);
    }
    let missing = contents.items.iter().filter(|slot| !there.contains(*slot));
    let missing = missing.copied().collect();
    let named = |slot: &i64| {
        let ours = contents.items.contains(slot) || contents.openings.contains(slot);
        ours || *slot == NAMES_SLOT
    };
    Ok((
        missing,
        there.into_iter().filter(|slot| !named(slot)).collect(),
    ))
}

/// Writes rows, [`ROWS_WRITTEN`] at most in one statement.
pub(super) async fn insert(
    transaction: &tokio_postgres::Transaction<'_>,
    table: &str,
    columns: &[String],
    rows: &[Vec<Value>],
) -> Result<(), CopyError> {
    for rows in rows.chunks(ROWS_WRITTEN) {
        let mut places = 1..;
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            let line = row
                .iter()
                .zip(&mut places)
                .map(|(_, place)| format!("${place}"));
            lines.push(format!("({})", line.collect::<Vec<_>>().join(", ")));
        }
        let sql = format!(
            "INSERT INTO firedoor.{table} ({}) VALUES {}",
            columns.join(", "),
            lines.join(", ")
        );
        let statement = transaction.prepare(&sql).await?;
        let given: Vec<Given<'_>> = rows.iter().flatten().map(Given).collect();
        let given: Vec<&(dyn ToSql + Sync)> = given
            .iter()
            .map(|value| value as &(dyn ToSql + Sync))
            .collect();
        transaction.execute(&statement, &given).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
