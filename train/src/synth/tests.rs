use super::*;

fn config(size_px: u32, um_per_px: f32, seed: u64) -> SynthConfig {
    SynthConfig::new(size_px, um_per_px, seed).unwrap()
}

fn same(a: &SynthImage, b: &SynthImage) -> bool {
    a.image == b.image && a.mask == b.mask
}

#[test]
fn the_same_seed_and_index_give_the_same_bytes() {
    let config = config(160, 1.0, 11);
    assert!(same(&generate(&config, 3).unwrap(), &generate(&config, 3).unwrap()));
}

#[test]
fn another_index_or_seed_gives_another_image() {
    let first = generate(&config(96, 1.0, 11), 3).unwrap();
    assert!(!same(&first, &generate(&config(96, 1.0, 11), 4).unwrap()));
    assert!(!same(&first, &generate(&config(96, 1.0, 12), 3).unwrap()));
}

#[test]
fn an_image_does_not_depend_on_those_drawn_before_it() {
    let config = config(96, 1.0, 5);
    let series: Vec<_> = (0..4).map(|index| generate(&config, index).unwrap()).collect();
    assert!(same(&series[2], &generate(&config, 2).unwrap()));
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    let config = config(300, 1.0, 6);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| generate(&config, 1).unwrap())
    };
    assert!(same(&on(1), &on(3)));
}

#[test]
fn bytes_do_not_change_from_machine_to_machine() {
    // FNV-1a over image and mask, taken on x86-64 Linux. A change of this number means a change of every sample image.
    let drawn = generate(&config(96, 1.0, 2024), 1).unwrap();
    let bytes = drawn.image.as_raw().iter().chain(drawn.mask.as_raw());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(hash, GOLDEN, "{hash:#018x}");
}

const GOLDEN: u64 = 0xc5c9_012f_8e31_5d02;

#[test]
fn tiles_meet_without_a_seam() {
    // The same place drawn as one window and as the corner of another gives the same stain.
    let config = config(300, 1.0, 9);
    let slide = Slide::draw(&config, 2);
    let architecture = Architecture::calibrate(&slide, 300.0, 300.0);
    let scene = Scene { slide: &slide, architecture: &architecture, width_px: 300, height_px: 300, um_per_px: 1.0 };
    let (large, small) = (scene.tile((0, 0)), scene.tile((200, 210)));
    for y in 210..250_u32 {
        for x in 200..250_u32 {
            let in_large = (y * large.width + x) as usize;
            let in_small = ((y - 210) * small.width + x - 200) as usize;
            assert_eq!(large.rgb[in_large], small.rgb[in_small], "at ({x}, {y})");
            assert_eq!(large.cancer[in_large], small.cancer[in_small], "at ({x}, {y})");
        }
    }
}

#[test]
fn the_mask_is_black_or_white_and_agrees_with_the_fraction() {
    for index in 0..6 {
        let drawn = generate(&config(128, 1.0, 21), index).unwrap();
        assert_eq!(drawn.mask.dimensions(), drawn.image.dimensions());
        assert!(drawn.mask.as_raw().iter().all(|v| *v == 0 || *v == 255));
        let white = drawn.mask.as_raw().iter().filter(|v| **v == 255).count() as f32;
        assert!((white / (128.0 * 128.0) - drawn.tumour_fraction).abs() < 1e-6);
    }
}

#[test]
fn tumour_fractions_reach_from_nothing_to_most_of_the_image() {
    let fractions: Vec<f32> = (0..40).map(|index| generate(&config(128, 1.0, 1), index).unwrap().tumour_fraction).collect();
    let free = fractions.iter().filter(|f| **f == 0.0).count();
    assert!((2..=20).contains(&free), "{free} of 40 free of tumour");
    assert!(fractions.iter().any(|f| *f > 0.6), "{fractions:?}");
    assert!(fractions.iter().filter(|f| (0.05..0.5).contains(*f)).count() >= 8, "{fractions:?}");
}

#[test]
fn a_requested_fraction_is_nearly_met() {
    for (wanted, tolerance) in [(0.0, 0.0), (0.3, 0.12), (0.6, 0.2)] {
        let config = SynthConfig { tumour_fraction: Some(wanted), ..config(256, 1.0, 4) };
        let mean = (0..8).map(|index| generate(&config, index).unwrap().tumour_fraction).sum::<f32>() / 8.0;
        assert!((mean - wanted).abs() <= tolerance, "wanted {wanted}, mean {mean}");
    }
}

#[test]
fn tumour_nuclei_are_larger_than_lymphocytes() {
    for index in 0..40 {
        let slide = Slide::draw(&config(64, 1.0, 8), index);
        let ratio = slide.tumour_cell.nucleus_um / slide.lymphocyte_um;
        assert!((1.0..2.2).contains(&ratio), "image {index}: {ratio}");
    }
}

#[test]
fn colours_are_those_of_haematoxylin_and_eosin() {
    for index in 0..8 {
        let drawn = generate(&config(128, 1.0, 31), index).unwrap();
        let mean: [f32; 3] = core::array::from_fn(|c| drawn.image.pixels().map(|p| f32::from(p.0[c])).sum::<f32>() / (128.0 * 128.0));
        // Pink to purple: green is absorbed most, and tissue is neither black nor empty.
        assert!(mean[1] < mean[0] && mean[1] < mean[2], "image {index}: {mean:?}");
        assert!((60.0..245.0).contains(&mean[1]), "image {index}: {mean:?}");
    }
}

#[test]
fn glass_is_bright() {
    let config = config(64, 1.0, 3);
    for index in 0..20 {
        let slide = Slide::draw(&config, index);
        let grey = optics::expose(&slide.stain, 1, [1.0; 3], (3, 4), (0.0, 0.0));
        assert!(grey.iter().all(|v| *v > 215), "image {index}: {grey:?}");
    }
}

#[test]
fn every_size_and_pixel_size_can_be_drawn() {
    for (size_px, um_per_px) in [(16, 0.1), (64, 0.25), (65, 4.2), (300, 4.2), (40, 8.0)] {
        let drawn = generate(&config(size_px, um_per_px, 1), 7).unwrap();
        assert_eq!(drawn.image.dimensions(), (size_px, size_px));
    }
    let wide = SynthConfig { height_px: 70, ..config(130, 1.0, 1) };
    assert_eq!(generate(&wide, 0).unwrap().mask.dimensions(), (130, 70));
}

#[test]
fn values_out_of_range_are_named() {
    assert_eq!(SynthConfig::new(8, 1.0, 0).unwrap_err(), SynthError::SizeOutOfRange { side: "width", value: 8 });
    let tall = SynthConfig { height_px: 1 << 20, ..config(64, 1.0, 0) };
    assert_eq!(generate(&tall, 0).unwrap_err(), SynthError::SizeOutOfRange { side: "height", value: 1 << 20 });
    assert_eq!(SynthConfig::new(64, 0.0, 0).unwrap_err(), SynthError::PixelSizeOutOfRange { value: 0.0 });
    assert!(SynthConfig::new(64, f32::NAN, 0).is_err());
    let beyond = SynthConfig { tumour_fraction: Some(1.5), ..config(64, 1.0, 0) };
    assert_eq!(beyond.validate().unwrap_err(), SynthError::TumourFractionOutOfRange { value: 1.5 });
}
