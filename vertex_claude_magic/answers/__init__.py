"""What comes back as data: types, schemas, and the repair of an answer that does not fit."""
