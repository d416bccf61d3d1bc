//! How long is a hundred micrometres here?

use super::scene::{Anchor, Font, INK, Item, PAPER, Scene};

/// A bar of a round length in the lower left corner of a panel; nothing where the pitch is not a length or no round length fits.
///
/// `um_per_px` is the length of one pixel of the figure.
pub(super) fn add(scene: &mut Scene, panel: ((u32, u32), (u32, u32)), um_per_px: f64) {
    let ((x, y), (width, height)) = panel;
    let Some((length_um, label)) = round_length(um_per_px * f64::from(width) / 3.0) else { return };
    let length = ((length_um / um_per_px).round() as u32).max(1);
    let (plate_width, plate_height) = (length.max(Font::Label.width(&label)) + 12, 32);
    if plate_width + 12 > width || plate_height + 12 > height {
        return;
    }
    // On a plate, since tissue is dark in one place and empty in the next.
    let plate = (x + 6, y + height - plate_height - 6);
    let middle = plate.0 + plate_width / 2;
    scene.items.push(Item::Box { at: plate, size: (plate_width, plate_height), fill: PAPER });
    scene.items.push(Item::Text { at: (middle, plate.1 + 11), anchor: Anchor::Middle, font: Font::Label, text: label, colour: INK });
    scene.items.push(Item::Box { at: (middle - length / 2, plate.1 + plate_height - 10), size: (length, 4), fill: INK });
}

/// The largest of 1, 2, 5, 10, 20 ... µm that is not above `most`.
fn round_length(most: f64) -> Option<(f64, String)> {
    (most.is_finite() && most >= 1.0).then_some(())?;
    let decade = 10.0_f64.powf(most.log10().floor());
    let length = [5.0, 2.0, 1.0].into_iter().map(|digit| digit * decade).find(|&length| length <= most)?;
    Some((length, if length >= 1000.0 { format!("{} mm", length / 1000.0) } else { format!("{length} µm") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_round() {
        let label = |most| round_length(most).map(|(_, label)| label);
        assert_eq!((label(199.0), label(200.0), label(499.9)), (Some("100 µm".into()), Some("200 µm".into()), Some("200 µm".into())));
        assert_eq!((label(1.0), label(7300.0), label(0.9), label(f64::NAN)), (Some("1 µm".into()), Some("5 mm".into()), None, None));
    }

    #[test]
    fn a_bar_is_as_long_as_it_says_and_stays_out_of_panels_too_small_for_it() {
        let bar = |width, um_per_px| {
            let mut scene = Scene::new("x", 600, 600).unwrap();
            add(&mut scene, ((0, 0), (width, 300)), um_per_px);
            scene.items.iter().rev().find_map(|item| match item {
                Item::Box { size, .. } => Some(size.0),
                _ => None,
            })
        };
        // A third of 480 px of 4.2 um is 672 um: a bar of 500 um is 119 px.
        assert_eq!(bar(480, 4.2), Some(119));
        assert_eq!((bar(50, 4.2), bar(480, 0.0), bar(480, -1.0)), (None, None, None));
    }
}
