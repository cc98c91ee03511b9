//! The project's accent colour, made readable. Pure: a colour in, CSS rules out.
//!
//! A brand colour is never refused: where it fails for contrast (WCAG 2.2, 1.4.3 and 1.4.11) its
//! lightness is moved in `OKLCh`, hue kept, by the smallest step that passes.

/// The accent of a project that has chosen none: a deep, slightly cool blue.
pub const DEFAULT: Rgb = Rgb(0x23, 0x4f, 0xd8);

/// Contrast of words on a filled button, and of words in the accent colour on the card.
const WORDS: f64 = 7.0;
/// What lies under words in the accent colour, where it is hardest to read: `--sunk` in
/// `web/connect/connect.css`.
const BACK_LIGHT: Rgb = Rgb(0xf6, 0xf7, 0xf9);
const BACK_DARK: Rgb = Rgb(0x1e, 0x22, 0x2b);
/// The two inks for words on a filled button.
const WHITE: Rgb = Rgb(0xff, 0xff, 0xff);
const INK: Rgb = Rgb(0x0b, 0x0d, 0x12);
/// Lightness moves by this much at a time, of 1.
const STEP: f64 = 0.005;
/// White words look natural on more hues than dark ones: a dark ink must be nearer by this factor
/// to be chosen.
const WHITE_BIAS: f64 = 1.6;

/// A colour in sRGB, 8 bits a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    /// Reads `#rgb` or `#rrggbb`, any case. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.trim().strip_prefix('#')?;
        if !hex.bytes().all(|it| it.is_ascii_hexdigit()) {
            return None;
        }
        let wide: String = match hex.len() {
            3 => hex.chars().flat_map(|it| [it, it]).collect(),
            6 => hex.to_owned(),
            _ => return None,
        };
        let at = |from: usize| u8::from_str_radix(wide.get(from..from + 2)?, 16).ok();
        Some(Self(at(0)?, at(2)?, at(4)?))
    }

    fn css(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// The CSS rules that give a page its accent, light and dark. Safe to put into a `<style>`: nothing
/// of the input but three numbers gets through.
///
/// `--accent` fills the button, `--on-accent` is the ink on it, `--accent-ink` is for words, rings
/// and borders on the card.
pub fn rules(accent: Rgb) -> String {
    format!(
        ":root{{{}}}@media(prefers-color-scheme:dark){{:root{{{}}}}}",
        properties(accent, BACK_LIGHT),
        properties(accent, BACK_DARK)
    )
}

fn properties(accent: Rgb, back: Rgb) -> String {
    let (fill, on) = button(accent);
    let ink = readable(accent, back, WORDS);
    format!("--accent:{};--on-accent:{};--accent-ink:{}", fill.css(), on.css(), ink.css())
}

/// The fill nearest to `accent` on which one of the inks reads well, and that ink.
fn button(accent: Rgb) -> (Rgb, Rgb) {
    let lightness = to_oklch(accent).0;
    let under_white = readable(accent, WHITE, WORDS);
    let under_ink = readable(accent, INK, WORDS);
    let to_white = (to_oklch(under_white).0 - lightness).abs();
    let to_ink = (to_oklch(under_ink).0 - lightness).abs();
    if to_white <= to_ink * WHITE_BIAS { (under_white, WHITE) } else { (under_ink, INK) }
}

/// `colour`, made darker or lighter (away from `against`) until their contrast is at least
/// `wanted`.
fn readable(colour: Rgb, against: Rgb, wanted: f64) -> Rgb {
    let (mut lightness, chroma, hue) = to_oklch(colour);
    let step = if luminance(against) > 0.18 { -STEP } else { STEP };
    let mut found = colour;
    while contrast(found, against) < wanted && (0.0..=1.0).contains(&lightness) {
        lightness += step;
        found = from_oklch(lightness, chroma, hue);
    }
    found
}

/// WCAG 2.2, "contrast ratio": 1 to 21.
pub fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// WCAG 2.2, "relative luminance".
fn luminance(colour: Rgb) -> f64 {
    0.2126 * linear(colour.0) + 0.7152 * linear(colour.1) + 0.0722 * linear(colour.2)
}

fn linear(channel: u8) -> f64 {
    let value = f64::from(channel) / 255.0;
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// `None` when the value lies outside sRGB.
fn gamma(value: f64) -> Option<u8> {
    let coded =
        if value <= 0.003_130_8 { value * 12.92 } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 };
    // The range is checked first, so nothing is cut off.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (-0.002..=1.002).contains(&coded).then(|| (coded.clamp(0.0, 1.0) * 255.0).round() as u8)
}

/// Lightness, chroma, hue in radians. Björn Ottosson, "A perceptual color space for image
/// processing" (2020).
#[expect(clippy::many_single_char_names, reason = "named as in the publication")]
fn to_oklch(colour: Rgb) -> (f64, f64, f64) {
    let (r, g, b) = (linear(colour.0), linear(colour.1), linear(colour.2));
    let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
    let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
    let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
    let lightness = 0.210_454_255_3 * l + 0.793_617_785 * m - 0.004_072_046_8 * s;
    let a = 1.977_998_495_1 * l - 2.428_592_205 * m + 0.450_593_709_9 * s;
    let b = 0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766 * s;
    (lightness, a.hypot(b), b.atan2(a))
}

/// The nearest sRGB colour: chroma is given up until it fits, lightness and hue are kept.
fn from_oklch(lightness: f64, chroma: f64, hue: f64) -> Rgb {
    let mut chroma = chroma;
    loop {
        if let Some(found) = in_srgb(lightness, chroma, hue) {
            return found;
        }
        if chroma <= 0.0 {
            return if lightness > 0.5 { WHITE } else { Rgb(0, 0, 0) };
        }
        chroma = (chroma - 0.004).max(0.0);
    }
}

#[expect(clippy::many_single_char_names, reason = "named as in the publication")]
fn in_srgb(lightness: f64, chroma: f64, hue: f64) -> Option<Rgb> {
    let (a, b) = (chroma * hue.cos(), chroma * hue.sin());
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
    Some(Rgb(
        gamma(4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s)?,
        gamma(-1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s)?,
        gamma(-0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 17th value of each channel: 4096 brands.
    fn brands() -> impl Iterator<Item = Rgb> {
        let steps = || (0..=255u8).step_by(17);
        steps().flat_map(move |r| steps().flat_map(move |g| steps().map(move |b| Rgb(r, g, b))))
    }

    #[test]
    fn every_brand_becomes_readable_in_both_themes() {
        for brand in brands() {
            let (fill, on) = button(brand);
            assert!(contrast(fill, on) >= WORDS, "{brand:?} fill {fill:?}");
            for back in [BACK_LIGHT, BACK_DARK] {
                let ink = readable(brand, back, WORDS);
                assert!(contrast(ink, back) >= WORDS, "{brand:?} on {back:?}: {ink:?}");
            }
        }
    }

    #[test]
    fn a_colour_that_passes_is_left_alone() {
        let navy = Rgb(0x12, 0x2b, 0x66);
        assert_eq!(button(navy), (navy, WHITE));
        let yellow = Rgb(0xff, 0xd0, 0x2f);
        assert_eq!(button(yellow), (yellow, INK));
    }

    #[test]
    fn only_hex_colours_are_read() {
        assert_eq!(Rgb::parse("#fff"), Some(Rgb(255, 255, 255)));
        assert_eq!(Rgb::parse(" #1D4ed8 "), Some(Rgb(0x1d, 0x4e, 0xd8)));
        for bad in ["", "red", "#ff", "#ggg", "#12345", "#+12345", "#fff;}", "#ééé"] {
            assert_eq!(Rgb::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_rules_hold_six_colours_and_nothing_else() {
        let rules = rules(DEFAULT);
        assert_eq!(rules.matches('#').count(), 6);
        assert!(!rules.contains('<') && rules.ends_with("}}"));
    }
}
