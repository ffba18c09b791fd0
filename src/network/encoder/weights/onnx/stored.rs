//! A `TensorProto`: numbers in the file, in one of the ways in which exporters write them, or in a file beside it.

use std::borrow::Cow;

use half::{bf16, f16};

use super::Refusal;
use super::array::{Array, Kind};
use super::protobuf::Fields;
use crate::network::encoder::weights::Numbers;

/// Finds the bytes of a file that the graph names as the place of its weights.
pub(super) type External<'call, 'file> = &'call dyn Fn(&str) -> Option<&'file [u8]>;

/// Numbers of 4 or 8 bytes that are written as varints: shapes and positions, never weights.
const MAX_VARINTS: usize = 1 << 20;
/// Weights of 1 or 2 bytes that are written as varints.
const MAX_SMALL: usize = 1 << 26;
const MAX_AXES: usize = 8;

/// A tensor as it is stored: `bytes` are little-endian and as many as `shape` and `element` say.
pub(super) struct Stored<'file> {
    pub name: &'file str,
    pub shape: Vec<usize>,
    pub element: Element,
    pub bytes: Cow<'file, [u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    U8,
    I8,
    I32,
    I64,
    Bool,
    F16,
    F64,
    Bf16,
}

impl Element {
    /// By the number that `TensorProto.DataType` has for it.
    pub(super) fn of(number: i64) -> Option<Self> {
        Some(match number {
            1 => Self::F32,
            2 => Self::U8,
            3 => Self::I8,
            6 => Self::I32,
            7 => Self::I64,
            9 => Self::Bool,
            10 => Self::F16,
            11 => Self::F64,
            16 => Self::Bf16,
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::U8 | Self::I8 | Self::I32 | Self::I64 => Kind::Integer,
            Self::Bool => Kind::Bool,
            Self::F32 | Self::F16 | Self::F64 | Self::Bf16 => Kind::Float,
        }
    }
}

pub(super) fn tensor<'file>(message: &'file [u8], external: External<'_, 'file>) -> Result<Stored<'file>, Refusal> {
    let (mut name, mut dims, mut kind) = ("", Vec::new(), 0);
    let (mut raw, mut floats, mut integers) = (None, Vec::new(), Vec::new());
    let (mut place, mut outside) = (Place::default(), false);
    let mut fields = Fields::of(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => field.integers(&mut dims, MAX_AXES)?,
            2 => kind = field.integer()?,
            // Floats and doubles are packed as they would stand in `raw_data`.
            4 | 10 => floats.push(field.bytes()?),
            5 | 7 => integers.push(field),
            8 => name = field.text()?,
            9 => raw = Some(field.bytes()?),
            13 => place.entry(field.bytes()?)?,
            14 => outside = field.integer()? == 1,
            _ => {}
        }
    }
    let wrong = |what: &str| Refusal::new(format!("the tensor \"{name}\" {what}"));
    let element = Element::of(kind).ok_or_else(|| wrong("has numbers of a type that is not known"))?;
    let shape: Option<Vec<usize>> = dims.iter().map(|size| usize::try_from(*size).ok()).collect();
    let shape = shape.ok_or_else(|| wrong("has an axis of a negative size"))?;
    // A size of 0 does not make up for others that are too large.
    let most = shape.iter().try_fold(element.size(), |most, size| most.checked_mul(*size.max(&1)));
    most.ok_or_else(|| wrong("is too large"))?;
    let size = shape.iter().product::<usize>() * element.size();
    let bytes = if outside {
        Cow::Borrowed(place.bytes(size, external).ok_or_else(|| wrong("lies in a file that is missing or too short"))?)
    } else if let Some(raw) = raw {
        Cow::Borrowed(raw)
    } else if let [one] = floats.as_slice() {
        Cow::Borrowed(*one)
    } else if !floats.is_empty() {
        Cow::Owned(floats.concat())
    } else {
        let most = if element.size() < 4 { MAX_SMALL } else { MAX_VARINTS };
        let mut numbers = Vec::new();
        for field in integers {
            field.integers(&mut numbers, most)?;
        }
        Cow::Owned(numbers.iter().flat_map(|number| number.to_le_bytes().into_iter().take(element.size())).collect())
    };
    if bytes.len() != size {
        return Err(wrong("has more or fewer bytes than its shape says"));
    }
    Ok(Stored { name, shape, element, bytes })
}

/// `external_data`: a file, and where in it.
#[derive(Default)]
struct Place<'file> {
    location: &'file str,
    offset: usize,
    length: Option<usize>,
}

impl<'file> Place<'file> {
    fn entry(&mut self, message: &'file [u8]) -> Result<(), Refusal> {
        let (mut key, mut value) = ("", "");
        let mut fields = Fields::of(message);
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => key = field.text()?,
                2 => value = field.text()?,
                _ => {}
            }
        }
        let number = || value.parse().map_err(|_| Refusal::new("the place of a tensor's bytes is not a number"));
        match key {
            "location" => self.location = value,
            "offset" => self.offset = number()?,
            "length" => self.length = Some(number()?),
            _ => {}
        }
        Ok(())
    }

    fn bytes(&self, size: usize, external: External<'_, 'file>) -> Option<&'file [u8]> {
        if self.length.is_some_and(|length| length != size) {
            return None;
        }
        external(self.location)?.get(self.offset..self.offset.checked_add(size)?)
    }
}

impl<'file> Stored<'file> {
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Its numbers, to calculate with.
    pub(super) fn array(&self) -> Array {
        let numbers = self.bytes.chunks_exact(self.element.size()).map(|bytes| number(self.element, bytes));
        Array { shape: self.shape.clone(), kind: self.element.kind(), numbers: numbers.collect() }
    }

    /// Its numbers as weights, if they are floats.
    pub(super) fn floats(&self) -> Option<Numbers<'file>> {
        let bytes = self.bytes.clone();
        Some(match self.element {
            Element::F32 => Numbers::F32(bytes),
            Element::F16 => Numbers::F16(bytes),
            Element::Bf16 => Numbers::Bf16(bytes),
            _ => return None,
        })
    }
}

#[allow(clippy::cast_precision_loss, reason = "integers of a graph are shapes, positions and ends of slices")]
fn number(element: Element, bytes: &[u8]) -> f64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let [a, b, c, d, ..] = wide;
    match element {
        Element::F32 => f32::from_le_bytes([a, b, c, d]).into(),
        Element::U8 => a.into(),
        Element::I8 => a.cast_signed().into(),
        Element::I32 => i32::from_le_bytes([a, b, c, d]).into(),
        Element::I64 => i64::from_le_bytes(wide) as f64,
        Element::Bool => f64::from(a != 0),
        Element::F16 => f16::from_le_bytes([a, b]).into(),
        Element::F64 => f64::from_le_bytes(wide),
        Element::Bf16 => bf16::from_le_bytes([a, b]).into(),
    }
}
