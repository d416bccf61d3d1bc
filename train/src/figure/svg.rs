//! Figures as SVG text: lines stay sharp at any size, images are embedded as PNG.

use super::outline::path_data;
use super::scene::{Anchor, Font, Item, Scene};
use crate::error::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::Rgb;
use maud::{PreEscaped, Render, html};

pub(super) fn write(scene: &Scene) -> Result<String> {
    let (width, height) = scene.size;
    let mut body = String::new();
    for item in &scene.items {
        body += &element(item)?.into_string();
        body.push('\n');
    }
    let document = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } role="img"
            font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" {
            title { (scene.title) }
            rect width=(width) height=(height) fill="#ffffff" {}
            (PreEscaped(body))
        }
    };
    Ok(document.into_string() + "\n")
}

fn element(item: &Item) -> Result<maud::Markup> {
    Ok(match item {
        Item::Picture { at, pixels, scale } => {
            let data = format!("data:image/png;base64,{}", STANDARD.encode(super::png(pixels)?));
            html! {
                image x=(at.0) y=(at.1) width=(pixels.width() * scale) height=(pixels.height() * scale) preserveAspectRatio="none"
                    style=[(*scale > 1).then_some("image-rendering:pixelated")] href=(data) {}
            }
        }
        Item::Box { at, size, fill } => html! { rect x=(at.0) y=(at.1) width=(size.0) height=(size.1) fill=(Hex(*fill)) {} },
        Item::Text { at, anchor, font, text, colour } => {
            let anchor = match anchor {
                Anchor::Left => "start",
                Anchor::Middle => "middle",
                Anchor::Right => "end",
            };
            let (size, weight) = match font {
                Font::Label => (15, None),
                Font::Title => (16, Some("bold")),
            };
            // Halfway up the line is about a third of the size above the baseline; viewers disagree about dominant-baseline.
            html! {
                text x=(at.0) y=(at.1 + size / 3) text-anchor=(anchor) font-size=(size) font-weight=[weight] fill=(Hex(*colour)) { (text.replace(char::is_control, " ")) }
            }
        }
        Item::Curve { points, colour, dash } => {
            let points: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
            html! {
                polyline points=(points.join(" ")) fill="none" stroke=(Hex(*colour)) stroke-width="2"
                    stroke-dasharray=[(*dash != (0, 0)).then(|| format!("{} {}", dash.0, dash.1))] {}
            }
        }
        Item::Line { at, scale, outlines, stroke } => html! {
            path d=(path_data(outlines, *scale, *at)) fill="none" stroke=(Hex(stroke.colour)) stroke-width=(stroke.width) stroke-linejoin="miter"
                stroke-dasharray=[(stroke.dash != (0, 0)).then(|| format!("{} {}", stroke.dash.0, stroke.dash.1))] {}
        },
    })
}

struct Hex(Rgb<u8>);

impl Render for Hex {
    fn render_to(&self, buffer: &mut String) {
        *buffer += &format!("#{:02x}{:02x}{:02x}", self.0[0], self.0[1], self.0[2]);
    }
}
