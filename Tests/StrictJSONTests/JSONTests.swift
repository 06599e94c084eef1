import StrictJSON
import Testing

struct JSONTests {
  private func parse(_ text: String) throws(JSONSyntaxError) -> JSONValue {
    var text = text
    let result = text.withUTF8 { bytes in
      Result { () throws(JSONSyntaxError) in try JSONParser.parse(UnsafeRawBufferPointer(bytes)) }
    }
    return try result.get()
  }

  @Test func valuesKeepTheirKindAndOrder() throws {
    let value = try parse(#" {"b": [1, -2.5e3, true, false, null, "\u00e9\ud83c\udf0d\n\/"], "a": {}} "#)
    #expect(value.members?.map(\.key) == ["b", "a"])
    #expect(value["b"]?.array?.last?.string == "é🌍\n/")
    #expect(value["b"]?.array?.map(\.number) == [1, -2500, nil, nil, nil, nil])
    #expect(value["b"]?.array?.map(\.integer) == [1, -2500, nil, nil, nil, nil])
    #expect(value["b"]?.array?.map(\.bool) == [nil, nil, true, false, nil, nil])
    #expect(try parse(value.encoded()) == value)
    #expect(try parse(value.encoded(indent: 2)) == value)
  }

  @Test("objects with very many keys are read, and a repeated one is found")
  func manyKeys() throws {
    let members = (0..<100_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
    #expect(try parse("{\(members)}").members?.count == 100_000)
    #expect(throws: JSONSyntaxError.self) { try parse("{\(members),\"k7\":1}") }
  }

  @Test(
    "what is not JSON is refused with its offset",
    arguments: [
      ("", 0), ("{", 1), ("[1,]", 3), ("{\"a\" 1}", 5), ("tru", 0), ("1 2", 2), ("\"\\ud800\"", 7),
      ("\"\\q\"", 3),
      ("\"a", 2), ("\"\n\"", 1), ("-", 1), ("+1", 0), ("01", 2), ("1.", 2), ("1e999", 5), ("NaN", 0),
      ("{\"a\":1,\"a\":2}", 10), ("\"\\u12g4\"", 5), ("[", 1), ("[1", 2), ("\"\\", 2), ("[1}", 2),
      ("// x", 0),
    ])
  func refused(text: String, offset: Int) {
    let error = #expect(throws: JSONSyntaxError.self) { try parse(text) }
    #expect(error?.offset == offset, "\(error?.reason ?? "")")
  }

  @Test func stringsMustBeUTF8() {
    let bytes: [UInt8] = [0x22, 0xC3, 0x22]
    let error = #expect(throws: JSONSyntaxError.self) {
      try bytes.withUnsafeBytes { try JSONParser.parse($0) }
    }
    #expect(error?.offset == 1)
  }

  @Test func keysAreComparedByteByByte() throws {
    // An accented letter as one scalar and as two: equal strings in Swift, but two tokens of a vocabulary.
    for others in [0, 40] {
      let more = (0..<others).map { "\"k\($0)\":0," }.joined()
      let value = try parse("{\(more)\"\u{e9}\":1,\"e\u{301}\":2}")
      #expect(value.members?.count == others + 2)
      #expect(throws: JSONSyntaxError.self) { try parse("{\(more)\"\u{e9}\":1,\"\u{e9}\":2}") }
    }
  }

  @Test func depthIsLimited() throws {
    let depth = JSONParser.maximumDepth
    func nested(_ count: Int) -> String {
      String(repeating: "[", count: count) + String(repeating: "]", count: count)
    }
    _ = try parse(nested(depth))
    #expect(throws: JSONSyntaxError.self) { try parse(nested(depth + 1)) }
    #expect(throws: JSONSyntaxError.self) { try parse(String(repeating: "{\"a\":", count: 100_000)) }
  }

  @Test func positionsCountLinesAndBytes() throws {
    let text = Array("{\n \"a\":\n x}".utf8)
    try text.withUnsafeBytes { bytes in
      let error = #expect(throws: JSONSyntaxError.self) { try JSONParser.parse(bytes) }
      let position = try #require(error).position(in: bytes)
      #expect(position == (3, 2))
    }
  }
}
