//! Protocol buffers, as much of their writing as a profile needs.

/// A message in the making.
#[derive(Default)]
pub struct Message(Vec<u8>);

/// Types of fields on the wire.
const VARINT: u64 = 0;
const BYTES: u64 = 2;

impl Message {
    /// A number; 0 is the same as none.
    pub fn number(&mut self, field: u64, value: u64) -> &mut Message {
        if value != 0 {
            self.varint(field << 3 | VARINT);
            self.varint(value);
        }
        self
    }

    /// A number that can be negative.
    pub fn signed(&mut self, field: u64, value: i64) -> &mut Message {
        self.number(field, value as u64)
    }

    /// Numbers, zeros included.
    pub fn numbers(&mut self, field: u64, values: impl IntoIterator<Item = u64>) -> &mut Message {
        let mut packed = Message::default();
        values.into_iter().for_each(|value| packed.varint(value));
        self.bytes(field, &packed.0)
    }

    /// Text or other bytes, empty ones included.
    pub fn bytes(&mut self, field: u64, bytes: &[u8]) -> &mut Message {
        self.varint(field << 3 | BYTES);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// A message in this one.
    pub fn message(&mut self, field: u64, message: &Message) -> &mut Message {
        self.bytes(field, &message.0)
    }

    /// Its bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_the_format_says() {
        let mut inner = Message::default();
        inner.number(1, 150);
        let mut message = Message::default();
        message.message(3, &inner).bytes(2, b"testing").numbers(4, [3, 270, 0]).signed(1, -1);
        message.number(5, 0);
        let mut expected = vec![0x1a, 3, 0x08, 0x96, 0x01, 0x12, 7];
        expected.extend(b"testing");
        expected.extend([0x22, 4, 3, 0x8e, 0x02, 0, 0x08]);
        expected.extend([0xff; 9]);
        expected.push(1);
        assert_eq!(message.into_bytes(), expected);
    }
}
