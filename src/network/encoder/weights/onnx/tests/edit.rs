//! Changes to the messages of an ONNX file, so that tests can start from a graph as an exporter wrote it.

/// A message as a list of fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Message(pub Vec<(u64, Field)>);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    Number(u64),
    Fixed(Vec<u8>),
    Bytes(Vec<u8>),
}

/// Fields of onnx.proto.
pub(super) mod number {
    pub const GRAPH: u64 = 7;
    pub const NODE: u64 = 1;
    pub const INITIALISER: u64 = 5;
    pub const INPUT: u64 = 11;
    pub const OUTPUT: u64 = 12;
    pub const NODE_INPUT: u64 = 1;
    pub const NODE_OUTPUT: u64 = 2;
    pub const NODE_NAME: u64 = 3;
    pub const OPERATION: u64 = 4;
    pub const ATTRIBUTE: u64 = 5;
    pub const DOMAIN: u64 = 7;
    pub const TENSOR_DIMS: u64 = 1;
    pub const TENSOR_TYPE: u64 = 2;
    pub const TENSOR_NAME: u64 = 8;
    pub const RAW: u64 = 9;
}

impl Message {
    pub fn read(bytes: &[u8]) -> Self {
        let (mut rest, mut fields) = (bytes, Vec::new());
        while !rest.is_empty() {
            let tag = varint(&mut rest);
            let field = match tag & 7 {
                0 => Field::Number(varint(&mut rest)),
                1 => Field::Fixed(take(&mut rest, 8)),
                5 => Field::Fixed(take(&mut rest, 4)),
                _ => {
                    let length = varint(&mut rest);
                    Field::Bytes(take(&mut rest, usize::try_from(length).expect("a length")))
                }
            };
            fields.push((tag >> 3, field));
        }
        Self(fields)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, field) in &self.0 {
            match field {
                Field::Number(value) => {
                    put(&mut bytes, number << 3);
                    put(&mut bytes, *value);
                }
                Field::Fixed(fixed) => {
                    put(&mut bytes, number << 3 | if fixed.len() == 8 { 1 } else { 5 });
                    bytes.extend(fixed);
                }
                Field::Bytes(inner) => {
                    put(&mut bytes, number << 3 | 2);
                    put(&mut bytes, inner.len() as u64);
                    bytes.extend(inner);
                }
            }
        }
        bytes
    }

    pub fn with(mut self, number: u64, value: impl AsRef<[u8]>) -> Self {
        self.0.push((number, Field::Bytes(value.as_ref().to_vec())));
        self
    }

    pub fn with_number(mut self, number: u64, value: u64) -> Self {
        self.0.push((number, Field::Number(value)));
        self
    }

    pub fn without(mut self, number: u64) -> Self {
        self.0.retain(|(own, _)| *own != number);
        self
    }

    /// Puts `value` in the place of the field's `nth` value.
    pub fn set(&mut self, number: u64, nth: usize, value: impl AsRef<[u8]>) {
        let field = self.0.iter_mut().filter(|(own, _)| *own == number).nth(nth).expect("a field to change");
        field.1 = Field::Bytes(value.as_ref().to_vec());
    }

    pub fn all(&self, number: u64) -> Vec<&[u8]> {
        let bytes = self.0.iter().filter(|(own, _)| *own == number).map(|(_, field)| match field {
            Field::Bytes(bytes) | Field::Fixed(bytes) => bytes.as_slice(),
            Field::Number(_) => panic!("a number where bytes are expected"),
        });
        bytes.collect()
    }

    pub fn text(&self, number: u64) -> String {
        self.all(number).last().map_or(String::new(), |text| String::from_utf8_lossy(text).into_owned())
    }
}

fn varint(rest: &mut &[u8]) -> u64 {
    let (mut number, mut place) = (0, 0);
    loop {
        let byte = take(rest, 1)[0];
        number |= u64::from(byte & 0x7f) << place;
        place += 7;
        if byte < 0x80 {
            return number;
        }
    }
}

fn take(rest: &mut &[u8], length: usize) -> Vec<u8> {
    let (taken, after) = rest.split_at(length);
    *rest = after;
    taken.to_vec()
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The file with each message of the graph's field `number` replaced by what `change` makes of it.
pub(super) fn edited(file: &[u8], number: u64, mut change: impl FnMut(Message) -> Vec<Message>) -> Vec<u8> {
    let mut model = Message::read(file);
    for (_, field) in model.0.iter_mut().filter(|(own, _)| *own == number::GRAPH) {
        let Field::Bytes(graph) = field else { panic!("no graph") };
        let fields = Message::read(graph).0.into_iter().flat_map(|(own, field)| match field {
            Field::Bytes(bytes) if own == number => {
                let made = change(Message::read(&bytes));
                made.into_iter().map(|message| (own, Field::Bytes(message.bytes()))).collect()
            }
            field => vec![(own, field)],
        });
        *graph = Message(fields.collect()).bytes();
    }
    model.bytes()
}

/// The file with the node of this name changed.
pub(super) fn with_node(file: &[u8], name: &str, change: impl Fn(&mut Message)) -> Vec<u8> {
    let mut found = false;
    let made = edited(file, number::NODE, |mut node| {
        if node.text(number::NODE_NAME) == name {
            found = true;
            change(&mut node);
        }
        vec![node]
    });
    assert!(found, "no node {name}");
    made
}

/// The file with a node after the one of this name, which works on its output: everything after it gets that.
pub(super) fn with_node_after(file: &[u8], name: &str, make: impl Fn(&str, &str) -> Vec<Message>) -> Vec<u8> {
    let mut found = false;
    let made = edited(file, number::NODE, |mut node| {
        if node.text(number::NODE_NAME) != name {
            return vec![node];
        }
        found = true;
        let output = node.text(number::NODE_OUTPUT);
        node.set(number::NODE_OUTPUT, 0, format!("{output}_before"));
        std::iter::once(node).chain(make(&format!("{output}_before"), &output)).collect()
    });
    assert!(found, "no node {name}");
    made
}

pub(super) fn node(operation: &str, inputs: &[&str], output: &str) -> Message {
    let node = inputs.iter().fold(Message::default(), |node, input| node.with(number::NODE_INPUT, input));
    node.with(number::NODE_OUTPUT, output).with(number::OPERATION, operation)
}

/// A `Constant` of one number.
pub(super) fn constant(value: f32, output: &str) -> Message {
    let tensor = Message::default().with_number(number::TENSOR_TYPE, 1).with(number::RAW, value.to_le_bytes());
    let attribute = Message::default().with(1, "value").with(5, tensor.bytes()).with_number(20, 4);
    node("Constant", &[], output).with(number::ATTRIBUTE, attribute.bytes())
}

/// The file with the numbers of the constant or initialiser `name` replaced.
pub(super) fn with_floats(file: &[u8], name: &str, values: &[f32]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut found = false;
    let made = edited(file, number::NODE, |mut node| {
        if node.text(number::NODE_OUTPUT) == name && node.text(number::OPERATION) == "Constant" {
            found = true;
            let mut attribute = Message::read(node.all(number::ATTRIBUTE)[0]);
            let mut tensor = Message::read(attribute.all(5)[0]);
            tensor.set(number::RAW, 0, &raw);
            attribute.set(5, 0, tensor.bytes());
            node.set(number::ATTRIBUTE, 0, attribute.bytes());
        }
        vec![node]
    });
    assert!(found, "no constant {name}");
    made
}
