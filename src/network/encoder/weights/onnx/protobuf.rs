//! The wire format of protobuf over bytes in memory. Messages are walked field by field; which field means what is the
//! business of who walks.

use super::Refusal;

/// The fields of one message, in the order in which they were written.
pub(super) struct Fields<'file> {
    rest: &'file [u8],
}

/// What a field holds. Floats of a fixed width are bytes too, so that packed and single ones are read alike.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field<'file> {
    Number(u64),
    Bytes(&'file [u8]),
}

fn malformed() -> Refusal {
    Refusal::new("the file is cut off or is no ONNX file")
}

impl<'file> Fields<'file> {
    pub(super) fn of(message: &'file [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field with its number, or nothing at the end of the message.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Field<'file>)>, Refusal> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.number()?;
        let field = match tag & 7 {
            0 => Field::Number(self.number()?),
            1 => Field::Bytes(self.take(8)?),
            2 => {
                let length = self.number()?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Bytes(self.take(4)?),
            _ => return Err(malformed()),
        };
        Ok(Some((tag >> 3, field)))
    }

    fn take(&mut self, length: u64) -> Result<&'file [u8], Refusal> {
        let length = usize::try_from(length).map_err(|_| malformed())?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, Refusal> {
        let mut number = 0;
        for place in 0..10 {
            let (byte, rest) = self.rest.split_first().ok_or_else(malformed)?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if *byte < 0x80 {
                return Ok(number);
            }
        }
        Err(malformed())
    }
}

impl<'file> Field<'file> {
    pub(super) fn bytes(self) -> Result<&'file [u8], Refusal> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            Field::Number(_) => Err(malformed()),
        }
    }

    pub(super) fn text(self) -> Result<&'file str, Refusal> {
        str::from_utf8(self.bytes()?).map_err(|_| malformed())
    }

    /// An `int64`, whose negative values are written as 64 bits.
    pub(super) fn integer(self) -> Result<i64, Refusal> {
        match self {
            Field::Number(number) => Ok(number.cast_signed()),
            Field::Bytes(_) => Err(malformed()),
        }
    }

    pub(super) fn float(self) -> Result<f32, Refusal> {
        self.bytes()?.try_into().map(f32::from_le_bytes).map_err(|_| malformed())
    }

    /// Adds the integers of a repeated field, packed or not, of which there may be `most` in all.
    pub(super) fn integers(self, into: &mut Vec<i64>, most: usize) -> Result<(), Refusal> {
        match self {
            Field::Number(number) => into.push(number.cast_signed()),
            Field::Bytes(bytes) => {
                let mut packed = Fields::of(bytes);
                while !packed.rest.is_empty() && into.len() <= most {
                    into.push(packed.number()?.cast_signed());
                }
            }
        }
        if into.len() > most { Err(Refusal::new(format!("more than {most} numbers in a list"))) } else { Ok(()) }
    }
}
