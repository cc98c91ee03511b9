//! The pretend providers: who they are, how they look, and where they differ.

use serde::{Deserialize, Serialize};

/// What a provider does with a refresh token when it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rotation {
    /// No new refresh token is given; the old one stays.
    P0,
    /// A new one each time; every old one stays valid.
    P1,
    /// A new one each time; the old one is valid until the new pair is first used.
    P2,
    /// A new one each time; the old one is valid for 30 minutes more.
    P3,
    /// A new one each time; the old one is valid for 10 minutes more.
    P4,
    /// A new one each time; the old one is valid for 60 seconds more.
    P5,
    /// Single use: an old one is refused.
    P6,
    /// Single use: an old one is refused, and the whole grant is revoked.
    P7,
}

impl Rotation {
    /// How long an old refresh token stays valid, for the classes that measure it in time.
    pub(crate) fn grace_ms(self) -> u64 {
        match self {
            Self::P3 => 30 * 60 * 1000,
            Self::P4 => 10 * 60 * 1000,
            Self::P5 => 60 * 1000,
            _ => 0,
        }
    }
}

/// How the token endpoint writes its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Json,
    /// JSON with the tokens one level down, numbers as text, and errors under status 200.
    Nested,
    /// `application/x-www-form-urlencoded`, errors under status 200.
    Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    BasicOnly,
    PostOnly,
    Either,
}

/// The rules of one OAuth 2 provider.
pub(crate) struct OAuth2 {
    pub rotation: Rotation,
    /// Instead of the class's own grace, until the class is switched.
    pub grace_ms: Option<u64>,
    pub access_life_s: u64,
    pub shape: Shape,
    pub client_auth: ClientAuth,
    pub scope_separator: &'static str,
    pub has_revocation: bool,
    /// RFC 9207: `iss` in the authorization answer.
    pub sends_iss: bool,
    /// Every path lies under `/w/{workspace}`.
    pub by_workspace: bool,
}

pub(crate) enum Kind {
    OAuth2(OAuth2),
    OAuth1,
    Keys,
    Basic,
}

pub(crate) struct Scope {
    pub name: &'static str,
    /// What it allows, as the consent page says it.
    pub words: &'static str,
}

pub(crate) struct Brand {
    pub slug: &'static str,
    pub name: &'static str,
    pub tagline: &'static str,
    pub accent_light: &'static str,
    pub accent_dark: &'static str,
    /// Shapes for a square of 32 units, to be filled white.
    pub mark: &'static str,
    pub kind: Kind,
    /// Always three: read the profile, read items, write items.
    pub scopes: [Scope; 3],
    pub items: [&'static str; 3],
}

impl Brand {
    pub(crate) fn profile_scope(&self) -> &'static str {
        self.scopes[0].name
    }
    pub(crate) fn read_scope(&self) -> &'static str {
        self.scopes[1].name
    }
    pub(crate) fn write_scope(&self) -> &'static str {
        self.scopes[2].name
    }
}

/// One provider for each class, alike in everything else. Not for people: see
/// [`crate::Simulator::start_classes`].
pub(crate) static CLASSES: [Brand; 8] = [
    class("p0", "Class P0", Rotation::P0),
    class("p1", "Class P1", Rotation::P1),
    class("p2", "Class P2", Rotation::P2),
    class("p3", "Class P3", Rotation::P3),
    class("p4", "Class P4", Rotation::P4),
    class("p5", "Class P5", Rotation::P5),
    class("p6", "Class P6", Rotation::P6),
    class("p7", "Class P7", Rotation::P7),
];

const fn class(slug: &'static str, name: &'static str, rotation: Rotation) -> Brand {
    Brand {
        slug,
        name,
        tagline: "One class of rotation and nothing else",
        accent_light: "#333333",
        accent_dark: "#dddddd",
        mark: include_str!("../templates/marks/static.svg"),
        kind: Kind::OAuth2(OAuth2 { rotation, ..PLAIN }),
        scopes: [
            scope("me", "See your name and e-mail address"),
            scope("things.read", "Read things"),
            scope("things.write", "Add and change things"),
        ],
        items: ["One", "Two", "Three"],
    }
}

/// A person who has an account everywhere here.
pub(crate) struct Person {
    pub login: &'static str,
    pub name: &'static str,
    pub email: &'static str,
}

pub(crate) const PEOPLE: [Person; 3] = [
    Person { login: "ada", name: "Ada Lovelace", email: "ada@example.test" },
    Person { login: "grace", name: "Grace Hopper", email: "grace@example.test" },
    Person { login: "linus", name: "Linus Pauling", email: "linus@example.test" },
];

pub(crate) fn person(login: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|it| it.login == login)
}

/// The workspaces that exist; any other is answered with 404.
pub(crate) const WORKSPACES: [&str; 2] = ["acme", "globex"];

const fn scope(name: &'static str, words: &'static str) -> Scope {
    Scope { name, words }
}

const PLAIN: OAuth2 = OAuth2 {
    rotation: Rotation::P7,
    grace_ms: None,
    access_life_s: 3600,
    shape: Shape::Json,
    client_auth: ClientAuth::Either,
    scope_separator: " ",
    has_revocation: true,
    sends_iss: false,
    by_workspace: false,
};

pub(crate) static BRANDS: [Brand; 10] = [
    Brand {
        slug: "rotating",
        name: "Lumen Chat",
        tagline: "Conversations that stay in the light",
        accent_light: "#4f35bd",
        accent_dark: "#b9abff",
        mark: include_str!("../templates/marks/rotating.svg"),
        kind: Kind::OAuth2(OAuth2 { sends_iss: true, ..PLAIN }),
        scopes: [
            scope("profile", "See your name, picture and e-mail address"),
            scope("chat.read", "Read the channels and messages you can see"),
            scope("chat.write", "Post messages in your name"),
        ],
        items: ["Monday stand-up", "Release notes, draft 3", "Lunch on the roof"],
    },
    Brand {
        slug: "grace",
        name: "Tidepool Files",
        tagline: "Every file, washed ashore where you need it",
        accent_light: "#0a5567",
        accent_dark: "#6fd3e8",
        mark: include_str!("../templates/marks/grace.svg"),
        kind: Kind::OAuth2(OAuth2 {
            rotation: Rotation::P5,
            grace_ms: Some(30_000),
            has_revocation: false,
            ..PLAIN
        }),
        scopes: [
            scope("account.info", "See your name and e-mail address"),
            scope("files.read", "List and download your files"),
            scope("files.write", "Upload and change files"),
        ],
        items: ["Harbour plan.pdf", "Budget 2026.xlsx", "Team photo.jpg"],
    },
    Brand {
        slug: "static",
        name: "Fernway Notes",
        tagline: "A quiet place for what you think",
        accent_light: "#23572b",
        accent_dark: "#8fd69a",
        mark: include_str!("../templates/marks/static.svg"),
        kind: Kind::OAuth2(OAuth2 { rotation: Rotation::P0, ..PLAIN }),
        scopes: [
            scope("me", "See your name and e-mail address"),
            scope("notes.read", "Read your notebooks and notes"),
            scope("notes.write", "Add and change notes"),
        ],
        items: ["Ideas for the spring", "Reading list", "Things to ask Grace"],
    },
    Brand {
        slug: "short",
        name: "Quickstep Calendar",
        tagline: "Your day, one beat ahead",
        accent_light: "#8a2f0f",
        accent_dark: "#ffb38a",
        mark: include_str!("../templates/marks/short.svg"),
        kind: Kind::OAuth2(OAuth2 { access_life_s: 5, ..PLAIN }),
        scopes: [
            scope("identity", "See your name and e-mail address"),
            scope("events.read", "See your calendars and events"),
            scope("events.write", "Add and move events"),
        ],
        items: ["Dentist, 09:00", "Planning, 13:30", "Dancing lesson, 19:00"],
    },
    Brand {
        slug: "quirky",
        name: "Oddment Market",
        tagline: "Curious things, fairly sold",
        accent_light: "#7d174f",
        accent_dark: "#ff9fd0",
        mark: include_str!("../templates/marks/quirky.svg"),
        kind: Kind::OAuth2(OAuth2 {
            rotation: Rotation::P6,
            shape: Shape::Nested,
            client_auth: ClientAuth::BasicOnly,
            scope_separator: ",",
            ..PLAIN
        }),
        scopes: [
            scope("shop:identity", "See the name of your shop and your e-mail address"),
            scope("orders:read", "See orders and customers"),
            scope("orders:write", "Create and change orders"),
        ],
        items: ["Brass telescope", "Box of odd buttons", "Map of nowhere"],
    },
    Brand {
        slug: "encoded",
        name: "Oldfield Press",
        tagline: "Printing as it was, mostly",
        accent_light: "#54430f",
        accent_dark: "#e3cb7c",
        mark: include_str!("../templates/marks/encoded.svg"),
        kind: Kind::OAuth2(OAuth2 {
            rotation: Rotation::P1,
            shape: Shape::Form,
            client_auth: ClientAuth::PostOnly,
            scope_separator: ",",
            has_revocation: false,
            ..PLAIN
        }),
        scopes: [
            scope("user", "See your name and e-mail address"),
            scope("prints", "See what you have ordered"),
            scope("prints:order", "Order prints for you"),
        ],
        items: ["Visiting cards, 200", "Poster, A2", "Almanac, bound"],
    },
    Brand {
        slug: "tenant",
        name: "Northpier Desk",
        tagline: "Help that arrives on time",
        accent_light: "#184286",
        accent_dark: "#9cc1ff",
        mark: include_str!("../templates/marks/tenant.svg"),
        kind: Kind::OAuth2(OAuth2 { rotation: Rotation::P2, by_workspace: true, ..PLAIN }),
        scopes: [
            scope("agent", "See your name and e-mail address"),
            scope("tickets.read", "Read tickets and their answers"),
            scope("tickets.write", "Answer and close tickets"),
        ],
        items: ["Lamp on pier 3", "Lost umbrella", "Timetable unclear"],
    },
    Brand {
        slug: "keys",
        name: "Harbor Mail",
        tagline: "Mail that finds its port",
        accent_light: "#0d4864",
        accent_dark: "#8ccbf0",
        mark: include_str!("../templates/marks/keys.svg"),
        kind: Kind::Keys,
        scopes: [
            scope("profile", "See your account"),
            scope("mail.read", "Read mail"),
            scope("mail.send", "Send mail"),
        ],
        items: ["Welcome aboard", "Your receipt", "Weekly tide table"],
    },
    Brand {
        slug: "basic",
        name: "Cobalt Support",
        tagline: "Answers, in blue",
        accent_light: "#1d3a9e",
        accent_dark: "#a9bcff",
        mark: include_str!("../templates/marks/basic.svg"),
        kind: Kind::Basic,
        scopes: [
            scope("profile", "See your account"),
            scope("cases.read", "Read cases"),
            scope("cases.write", "Answer cases"),
        ],
        items: ["Printer is blue", "Cannot find the any key", "Thank you note"],
    },
    Brand {
        slug: "oauth1",
        name: "Cedar Boards",
        tagline: "Plans with rings and roots",
        accent_light: "#613216",
        accent_dark: "#e8b48f",
        mark: include_str!("../templates/marks/oauth1.svg"),
        kind: Kind::OAuth1,
        scopes: [
            scope("account", "See your name and e-mail address"),
            scope("boards.read", "See your boards and cards"),
            scope("boards.write", "Add and move cards"),
        ],
        items: ["To plant", "Growing", "Harvested"],
    },
];
