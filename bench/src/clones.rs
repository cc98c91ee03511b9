//! Many accounts out of one real one: each with a user and keys of its own, sealed as the server
//! seals, in seconds instead of the hours that so many consents would take.

use grantkeep::db::{Db, Tx};
use grantkeep::on;
use grantkeep::tenant::Tenant;
use grantkeep_torture::progress::Progress;
use grantkeep_torture::trouble::{Doing, Result};
use grantkeep_vault::{Keyring, Owner, OwnerKey, Place, RootKey};
use sqlx::QueryBuilder;

use crate::load::DIGITS;

/// Rows of one statement; four values of each are bound.
const STATEMENT_ROWS: u64 = 500;
/// Rows of one transaction.
const COMMIT_ROWS: u64 = 50_000;

/// The id of a clone, by its number in [`DIGITS`] digits.
pub fn account(number: &str) -> String {
    format!("apn_{number}")
}

/// Which rows are copied, and what each clone has of its own.
const TABLES: [Table; 3] = [
    Table { name: "external_users", own: &["id", "external_id"], key: "id" },
    Table { name: "owner_keys", own: &["owner_id", "wrapped"], key: "owner_id" },
    Table { name: "accounts", own: &["id", "user_id", "external_id", "sealed"], key: "id" },
];

struct Table {
    name: &'static str,
    own: &'static [&'static str],
    /// The column that names the model's row.
    key: &'static str,
}

struct Model {
    account: String,
    user: String,
    version: i64,
    plain: grantkeep_vault::SecretBytes,
    keyring: Keyring,
    /// Per table: the columns that a clone shares with it.
    shared: Vec<Vec<String>>,
}

struct Clone {
    user: String,
    external: String,
    wrapped: Vec<u8>,
    account: String,
    sealed: Vec<u8>,
}

/// Makes `count` clones of the account.
pub async fn make(
    db: &Db,
    tenant: &Tenant,
    (root_key, account): (&str, &str),
    count: u64,
) -> Result<()> {
    let model = read(db, tenant, root_key, account).await?;
    let progress = Progress::new("accounts", count);
    let mut at = 0;
    while at < count {
        let mut tx = db.begin().await.doing("cannot begin")?;
        let end = count.min(at + COMMIT_ROWS);
        while at < end {
            let rows = STATEMENT_ROWS.min(end - at);
            let clones: Vec<Clone> = (at..at + rows).map(|nth| model.clone(tenant, nth)).collect();
            for (nth, table) in TABLES.iter().enumerate() {
                insert(&mut tx, table, &model, (&model.shared[nth], &clones)).await?;
            }
            at += rows;
            progress.step(rows);
        }
        tx.commit().await.doing("cannot commit")?;
    }
    progress.end();
    let analyze = "analyze";
    on!(db.write(), conn => sqlx::query(analyze).execute(conn).await.map(|_| ()))
        .doing("cannot analyze")
}

async fn read(db: &Db, tenant: &Tenant, root_key: &str, account: &str) -> Result<Model> {
    let what = "the model account";
    let sql = "select a.user_id, a.version, a.sealed, k.wrapped from accounts a join owner_keys k \
               on k.owner_id = a.user_id and k.project_id = a.project_id \
               and k.environment = a.environment where a.id = $1";
    let row: (String, i64, Vec<u8>, Vec<u8>) =
        on!(db.read(), conn => sqlx::query_as(sql).bind(account).fetch_one(conn).await)
            .doing(what)?;
    let (user, version, sealed, wrapped) = row;
    let keyring = Keyring::new(RootKey::parse(root_key).doing(what)?, Vec::new());
    let key = keyring.unwrap(&wrapped, &owner(tenant, &user)).doing(what)?;
    let plain = key.open(&place(tenant, account, version), &sealed).doing(what)?;
    let mut shared = Vec::new();
    for table in &TABLES {
        let mut columns = columns(db, table.name).await?;
        columns.retain(|it| !table.own.contains(&it.as_str()));
        shared.push(columns);
    }
    Ok(Model { account: account.to_owned(), user, version, plain, keyring, shared })
}

async fn columns(db: &Db, table: &str) -> Result<Vec<String>> {
    let sql = match db.engine() {
        "sqlite" => "select name from pragma_table_info($1)",
        _ => "select column_name::text from information_schema.columns where table_name = $1",
    };
    on!(db.read(), conn => sqlx::query_scalar(sql).bind(table).fetch_all(conn).await)
        .doing("the columns")
}

impl Model {
    fn clone(&self, tenant: &Tenant, nth: u64) -> Clone {
        let number = format!("{nth:0DIGITS$}");
        let (user, account) = (format!("exu_{number}"), account(&number));
        let (key, wrapped): (OwnerKey, _) = self.keyring.new_owner_key(&owner(tenant, &user));
        let sealed = key.seal(&place(tenant, &account, self.version), self.plain.expose());
        Clone { external: format!("user-{number}"), user, wrapped, account, sealed }
    }

    fn row(&self, table: &Table) -> &str {
        if table.name == "accounts" { &self.account } else { &self.user }
    }
}

async fn insert(
    tx: &mut Tx,
    table: &Table,
    model: &Model,
    (shared, clones): (&[String], &[Clone]),
) -> Result<()> {
    let (name, own) = (table.name, table.own.join(", "));
    let others = shared.join(", ");
    let given: Vec<String> = (1..=table.own.len()).map(|nth| format!("v.column{nth}")).collect();
    let head = format!("insert into {name} ({own}, {others}) select {}, ", given.join(", "));
    let from: Vec<String> = shared.iter().map(|it| format!("m.{it}")).collect();
    on!(tx.conn(), conn => {
        let mut insert = QueryBuilder::new(head + &from.join(", ") + " from ");
        insert.push(format!("{name} m cross join ("));
        insert.push_values(clones, |mut to, it| {
            match name {
                "external_users" => to.push_bind(&it.user).push_bind(&it.external),
                "owner_keys" => to.push_bind(&it.user).push_bind(&it.wrapped),
                _ => to.push_bind(&it.account).push_bind(&it.user)
                    .push_bind(&it.external).push_bind(&it.sealed),
            };
        });
        insert.push(format!(") v where m.{} = ", table.key)).push_bind(model.row(table));
        insert.build().execute(conn).await.map(|_| ())
    })
    .doing("cannot clone")
}

fn owner<'a>(tenant: &'a Tenant, user: &'a str) -> Owner<'a> {
    let (project, environment) = (tenant.project.as_str(), tenant.environment.as_str());
    Owner::User { project, environment, id: user }
}

fn place<'a>(tenant: &'a Tenant, account: &'a str, version: i64) -> Place<'a> {
    Place {
        project: tenant.project.as_str(),
        environment: tenant.environment.as_str(),
        table: "accounts",
        record: account,
        column: "sealed",
        version,
    }
}
