//! The closed list of categories, so that a filter never has three spellings of one thing.

use crate::ids;

/// Name and description.
pub const ALL: &[(&str, &str)] = &[
    ("Accounting", "Books, invoices and bills"),
    ("AI", "Models and services that write, see and reason"),
    ("Analytics", "Measuring what people do and how systems run"),
    ("CMS", "Publishing and managing web content"),
    ("Communication", "Mail, chat, calls and text messages"),
    ("CRM", "Contacts, deals and sales"),
    ("Customer Support", "Tickets, help desks and live chat"),
    ("Design", "Drawing, prototypes and brand material"),
    ("Developer Tools", "Code, builds, hosting and infrastructure"),
    ("E-commerce", "Shops, orders and products"),
    ("Education", "Courses and knowledge"),
    ("Finance", "Payments, banking and trading"),
    ("Forms", "Forms and surveys"),
    ("Health", "Health, sport and care"),
    ("HR", "People, hiring and payroll"),
    ("IoT", "Devices and sensors"),
    ("Legal", "Contracts and signatures"),
    ("Marketing", "Campaigns, advertising and audiences"),
    ("Media", "Pictures, sound and video"),
    ("Productivity", "Documents, tasks, calendars and notes"),
    ("Security", "Identity, secrets and protection"),
    ("Social", "Networks and communities"),
    ("Storage", "Files, tables and databases"),
    ("Travel & Location", "Maps, trips and bookings"),
];

/// A category as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// `appcat_` and eleven base-62 digits made from the name: the same in every installation.
    pub id: String,
    pub name: &'static str,
    pub description: &'static str,
}

/// All categories, by name.
pub fn list() -> Vec<Category> {
    let category =
        |&(name, description)| Category { id: ids::stable("appcat_", name), name, description };
    ALL.iter().map(category).collect()
}

/// Whether apps may use that name.
pub fn is_known(name: &str) -> bool {
    ALL.iter().any(|(it, _)| *it == name)
}

/// The category's own bit; none for a name that is not listed.
pub(crate) fn bit(name: &str) -> u64 {
    ALL.iter().position(|(it, _)| *it == name).map_or(0, |it| 1 << it)
}
