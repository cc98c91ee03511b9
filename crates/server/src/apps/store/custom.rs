//! Rows of `custom_apps`.

use crate::db::Db;
use crate::ids::ProjectId;
use crate::on;

pub(in crate::apps) async fn definition(
    db: &Db,
    project: &ProjectId,
    slug: &str,
) -> sqlx::Result<Option<String>> {
    let sql = "select definition from custom_apps where project_id = $1 and slug = $2";
    Ok(on!(db.read(), conn => sqlx::query_scalar(sql).bind(project).bind(slug)
        .fetch_optional(conn).await?))
}
