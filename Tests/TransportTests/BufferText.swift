import Transport

extension MessageBuffer {
  /// A buffer that contains a text.
  convenience init(text: String) { self.init(Array(text.utf8)) }

  /// The first `count` bytes as text.
  func text(_ count: Int) -> String { String(decoding: prefix(count), as: UTF8.self) }
}
