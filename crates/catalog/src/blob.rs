//! Reads what [`crate::pack`] wrote. The bytes may come from a file, so nothing in them is
//! believed.

use std::borrow::Cow;

use serde::de::value::Error as Broken;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};

use crate::categories;
use crate::pack::{
    ARRAY, CONNECTABLE, FALSE, FLOAT, MAGIC, NEEDS_CLIENT, NEGATIVE, NUMBER, STRING, TABLE, TRUE,
    VERSION,
};

/// Tables in tables, at most; app files have four.
const DEPTH_MAX: u8 = 16;
/// Apps in one blob, at most.
const APPS_MAX: u32 = 100_000;

/// Why bytes are no packed catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    #[error("it is not a packed catalogue")]
    NotOne,
    #[error("it is of format {0}, and this program reads format {VERSION}")]
    Version(u32),
    #[error("it is cut short or damaged")]
    Damaged,
}

/// Packed apps, and where in the bytes each string and tree lies.
pub(crate) struct Blob {
    bytes: Cow<'static, [u8]>,
    strings: u32,
    /// Where the strings begin.
    texts: usize,
    icons: Vec<IconAt>,
}

/// One app's line in the index.
pub(crate) struct AppAt {
    pub slug: Cow<'static, str>,
    pub name: Cow<'static, str>,
    pub folded: Cow<'static, str>,
    pub auth: Cow<'static, str>,
    pub flow: Cow<'static, str>,
    pub popularity: u8,
    pub connectable: bool,
    pub needs_client: bool,
    pub confirmed: u32,
    pub status: Cow<'static, str>,
    /// A bit for each of [`categories::ALL`].
    pub categories: u64,
    pub tree: std::ops::Range<usize>,
}

struct IconAt {
    name: u32,
    color: [u8; 3],
    shape: u32,
}

impl Blob {
    pub(crate) fn empty() -> Self {
        Self { bytes: Cow::Borrowed(&[]), strings: 0, texts: 0, icons: Vec::new() }
    }

    /// The blob and its index, in the order of slugs.
    pub(crate) fn open(bytes: Cow<'static, [u8]>) -> Result<(Self, Vec<AppAt>), BlobError> {
        let mut head = Reader { bytes: &bytes, at: 0 };
        if head.take(MAGIC.len()) != Some(MAGIC) {
            return Err(BlobError::NotOne);
        }
        let version = head.fixed().ok_or(BlobError::Damaged)?;
        if version != VERSION {
            return Err(BlobError::Version(version));
        }
        let counts = (head.fixed(), head.fixed(), head.fixed());
        let (Some(strings), Some(apps), Some(icons)) = counts else {
            return Err(BlobError::Damaged);
        };
        let texts = head.at.saturating_add(4 * strings as usize);
        let mut blob = Self { bytes, strings, texts, icons: Vec::new() };
        let read = if apps > APPS_MAX { None } else { blob.index(apps, icons) };
        let (found, icons) = read.ok_or(BlobError::Damaged)?;
        blob.icons = icons;
        Ok((blob, found))
    }

    fn index(&self, apps: u32, icons: u32) -> Option<(Vec<AppAt>, Vec<IconAt>)> {
        let end = if self.strings == 0 { 0 } else { self.end(self.strings - 1)? };
        let mut reader = Reader { bytes: &self.bytes, at: self.texts.checked_add(end)? };
        let apps = (0..apps).map(|_| self.app(&mut reader)).collect::<Option<Vec<_>>>()?;
        let icon = |_| {
            let name = reader.small()?;
            let color = reader.take(3)?.try_into().ok()?;
            Some(IconAt { name, color, shape: reader.small()? })
        };
        let icons = (0..icons).map(icon).collect::<Option<Vec<_>>>()?;
        let sorted = apps.is_sorted_by(|a, b| a.slug < b.slug);
        (sorted && reader.at == self.bytes.len()).then_some((apps, icons))
    }

    fn app(&self, reader: &mut Reader<'_>) -> Option<AppAt> {
        let text = |reader: &mut Reader<'_>| self.text(reader.small()?);
        let (slug, name, folded) = (text(reader)?, text(reader)?, text(reader)?);
        let (auth, flow) = (text(reader)?, text(reader)?);
        let (popularity, so) = (reader.byte()?, reader.byte()?);
        let confirmed = reader.small()?;
        let status = text(reader)?;
        let count = reader.small()?;
        let mut categories = 0;
        for _ in 0..count {
            categories |= categories::bit(self.str(reader.small()?)?);
        }
        let length = usize::try_from(reader.varint()?).ok()?;
        let begin = reader.at;
        reader.take(length)?;
        let tree = begin..reader.at;
        Some(AppAt {
            slug,
            name,
            folded,
            auth,
            flow,
            popularity,
            connectable: so & CONNECTABLE != 0,
            needs_client: so & NEEDS_CLIENT != 0,
            confirmed,
            status,
            categories,
            tree,
        })
    }

    /// Where a string ends, counted from the first.
    fn end(&self, number: u32) -> Option<usize> {
        let begin = self.texts - 4 * self.strings as usize + 4 * number as usize;
        let bytes = self.bytes.get(begin..begin + 4).filter(|_| number < self.strings)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    }

    fn slice(&self, number: u32) -> Option<std::ops::Range<usize>> {
        let begin = if number == 0 { 0 } else { self.end(number - 1)? };
        Some(self.texts.checked_add(begin)?..self.texts.checked_add(self.end(number)?)?)
    }

    fn str(&self, number: u32) -> Option<&str> {
        std::str::from_utf8(self.bytes.get(self.slice(number)?)?).ok()
    }

    /// Borrowed where the bytes are compiled in.
    fn text(&self, number: u32) -> Option<Cow<'static, str>> {
        match &self.bytes {
            Cow::Borrowed(bytes) => {
                let bytes: &'static [u8] = bytes.get(self.slice(number)?)?;
                Some(Cow::Borrowed(std::str::from_utf8(bytes).ok()?))
            }
            Cow::Owned(_) => Some(Cow::Owned(self.str(number)?.to_owned())),
        }
    }

    /// Shape and colour of an icon.
    pub(crate) fn icon(&self, name: &str) -> Option<(&str, [u8; 3])> {
        let order = |it: &IconAt| self.str(it.name).unwrap_or_default().cmp(name);
        let icon = self.icons.get(self.icons.binary_search_by(order).ok()?)?;
        Some((self.str(icon.shape)?, icon.color))
    }

    /// A tree, read into whatever it says.
    pub(crate) fn read<'a, T: de::Deserialize<'a>>(
        &'a self,
        tree: &std::ops::Range<usize>,
    ) -> Result<T, Broken> {
        let bytes = self.bytes.get(tree.clone()).ok_or_else(broken)?;
        let mut reader = Reader { bytes, at: 0 };
        T::deserialize(Tree { blob: self, reader: &mut reader, depth: 0 })
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn fixed(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok()
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

fn broken() -> Broken {
    de::Error::custom("damaged")
}

/// One value, for serde: apps are read by the same types as from a file.
struct Tree<'a, 'r> {
    blob: &'a Blob,
    reader: &'r mut Reader<'a>,
    depth: u8,
}

impl<'a> Tree<'a, '_> {
    fn string(&mut self) -> Result<&'a str, Broken> {
        let number = self.reader.small();
        number.and_then(|it| self.blob.str(it)).ok_or_else(broken)
    }

    fn inner(&mut self) -> Tree<'a, '_> {
        Tree { blob: self.blob, reader: self.reader, depth: self.depth + 1 }
    }
}

impl<'de> Deserializer<'de> for Tree<'de, '_> {
    type Error = Broken;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Broken> {
        if self.depth > DEPTH_MAX {
            return Err(broken());
        }
        let tag = self.reader.byte().ok_or_else(broken)?;
        match tag {
            FALSE | TRUE => visitor.visit_bool(tag == TRUE),
            NUMBER => visitor.visit_u64(self.reader.varint().ok_or_else(broken)?),
            NEGATIVE => {
                let number = self.reader.varint().ok_or_else(broken)?;
                visitor.visit_i64(0_i64.checked_sub_unsigned(number).ok_or_else(broken)?)
            }
            FLOAT => {
                let bytes = self.reader.take(8).and_then(|it| it.try_into().ok());
                visitor.visit_f64(f64::from_le_bytes(bytes.ok_or_else(broken)?))
            }
            STRING => visitor.visit_borrowed_str(self.string()?),
            ARRAY | TABLE => {
                let left = self.reader.small().ok_or_else(broken)?;
                let many = Many { tree: self, left };
                if tag == ARRAY { visitor.visit_seq(many) } else { visitor.visit_map(many) }
            }
            _ => Err(broken()),
        }
    }

    /// A key that stands in the file has a value.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Broken> {
        visitor.visit_newtype_struct(self)
    }

    /// Choices are words.
    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Broken> {
        match self.reader.byte() {
            Some(STRING) => visitor.visit_enum(Word(self.string()?)),
            _ => Err(broken()),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Word<'a>(&'a str);

impl<'a> EnumAccess<'a> for Word<'a> {
    type Error = Broken;
    type Variant = <de::value::StrDeserializer<'a, Broken> as EnumAccess<'a>>::Variant;

    fn variant_seed<V: DeserializeSeed<'a>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), Broken> {
        EnumAccess::variant_seed(self.0.into_deserializer(), seed)
    }
}

/// What stands in an array or a table.
struct Many<'a, 'r> {
    tree: Tree<'a, 'r>,
    left: u32,
}

impl Many<'_, '_> {
    fn next(&mut self) -> bool {
        let more = self.left > 0;
        self.left = self.left.saturating_sub(1);
        more
    }
}

impl<'a> SeqAccess<'a> for Many<'a, '_> {
    type Error = Broken;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Broken> {
        if self.next() { seed.deserialize(self.tree.inner()).map(Some) } else { Ok(None) }
    }
}

impl<'a> MapAccess<'a> for Many<'a, '_> {
    type Error = Broken;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Broken> {
        if !self.next() {
            return Ok(None);
        }
        let key = self.tree.string()?;
        seed.deserialize(de::value::BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Broken> {
        seed.deserialize(self.tree.inner())
    }
}
