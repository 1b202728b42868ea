//! Who a person is: identifiers, parsed and folded, and the keyed tokens made from them.
