/// Python's string operations: they work on Unicode scalars and use Python's definition of white space. All take time
/// in proportion to the texts' lengths.
package enum PythonText {
  /// Whether `str.isalpha` accepts the scalar: categories Lu, Ll, Lt, Lm and Lo.
  static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  /// `str.isspace` for one scalar: White_Space and the four information separators.
  package static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
  }

  /// `strip`, `lstrip`, `rstrip`.
  package static func strip(
    _ text: String, left: Bool = true, right: Bool = true, where condition: (Unicode.Scalar) -> Bool = isSpace
  ) -> String {
    var rest = text.unicodeScalars[...]
    if left { rest = rest.drop(while: condition) }
    if right { while let last = rest.last, condition(last) { rest.removeLast() } }
    return String(rest)
  }

  /// `split` and `rsplit` at runs of white space. Calls `willAppend` before each part.
  static func split<Failure: Error>(
    _ text: String, limit: Int, fromRight: Bool, willAppend: () throws(Failure) -> Void
  ) throws(Failure) -> [String] {
    var parts: [String] = []
    var rest = Substring(strip(text, left: !fromRight, right: fromRight)).unicodeScalars
    while !rest.isEmpty {
      try willAppend()
      if limit >= 0, parts.count == limit {
        parts.append(String(rest))
        break
      }
      if fromRight {
        let word = rest.reversed().prefix { !isSpace($0) }.count
        parts.append(String(rest.suffix(word)))
        rest = rest.dropLast(word)
        while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
      } else {
        let word = rest.prefix { !isSpace($0) }
        parts.append(String(word))
        rest = rest[word.endIndex...].drop(while: isSpace)
      }
    }
    return fromRight ? parts.reversed() : parts
  }

  /// Where `split` and `rsplit` cut a text at a non-empty separator, in ascending order: byte offsets. A negative
  /// limit is none.
  static func places(of separator: String, in text: String, limit: Int, fromRight: Bool) -> [Int] {
    let places = occurrences(
      of: Array(separator.utf8), in: Array(text.utf8), fromRight: fromRight, limit: limit < 0 ? .max : limit)
    return fromRight ? places.reversed() : places
  }

  /// The parts of a text between separators of `length` bytes at `places`, from ``places(of:in:limit:fromRight:)``.
  static func split(_ text: String, at places: [Int], length: Int) -> [String] {
    let bytes = Array(text.utf8)
    var parts: [String] = []
    parts.reserveCapacity(places.count + 1)
    var start = 0
    for index in places {
      parts.append(String(decoding: bytes[start..<index], as: UTF8.self))
      start = index + length
    }
    parts.append(String(decoding: bytes[start...], as: UTF8.self))
    return parts
  }

  /// `replace`; an empty `old` matches between all scalars.
  static func replace(_ text: String, _ old: String, with new: String, limit: Int) -> String {
    guard !old.isEmpty else {
      var result = ""
      var count = 0
      for scalar in text.unicodeScalars {
        if limit < 0 || count < limit { result += new }
        count += 1
        result.unicodeScalars.append(scalar)
      }
      return limit < 0 || count < limit ? result + new : result
    }
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var start = 0
    for index in places(of: old, in: text, limit: limit, fromRight: false) {
      result += bytes[start..<index]
      result += new.utf8
      start = index + old.utf8.count
    }
    return String(decoding: result + bytes[start...], as: UTF8.self)
  }

  /// The scalar at an index, which counts from the end if it is negative; `nil` if there is none.
  static func scalar(_ index: Int, of text: String) -> Unicode.Scalar? {
    let scalars = text.unicodeScalars
    if index >= 0 {
      let place = scalars.index(scalars.startIndex, offsetBy: index, limitedBy: scalars.endIndex)
      return place.flatMap { $0 < scalars.endIndex ? scalars[$0] : nil }
    }
    return scalars.index(scalars.endIndex, offsetBy: index, limitedBy: scalars.startIndex).map { scalars[$0] }
  }

  /// `find` and `rfind`: an index in scalars, or -1 if not found.
  static func find(_ part: String, in text: String, fromRight: Bool) -> Int {
    guard !part.isEmpty else { return fromRight ? text.unicodeScalars.count : 0 }
    let bytes = Array(text.utf8)
    guard let place = occurrences(of: Array(part.utf8), in: bytes, fromRight: fromRight, limit: 1).first
    else {
      return -1
    }
    // Every scalar has one byte that is not a continuation.
    return bytes[..<place].count { $0 & 0xC0 != 0x80 }
  }

  /// The number of non-overlapping occurrences of `part`, which must not be empty.
  static func count(_ part: String, in text: String) -> Int {
    occurrences(of: Array(part.utf8), in: Array(text.utf8), fromRight: false).count
  }

  static func contains(_ text: String, _ part: String) -> Bool {
    part.isEmpty
      || !occurrences(of: Array(part.utf8), in: Array(text.utf8), fromRight: false, limit: 1).isEmpty
  }

  /// Where `part` occurs without overlaps, in the order of the search: positions of its first byte.
  ///
  /// The search of Knuth, Morris and Pratt; from the right, it runs over both reversed.
  package static func occurrences(
    of part: [UInt8], in bytes: [UInt8], fromRight: Bool, limit: Int = .max
  ) -> [Int] {
    guard !part.isEmpty, part.count <= bytes.count else { return [] }
    if fromRight {
      let found = occurrences(of: part.reversed(), in: bytes.reversed(), fromRight: false, limit: limit)
      return found.map { bytes.count - part.count - $0 }
    }
    // For each prefix of `part`, the length of its longest proper prefix that is also its suffix.
    var borders = [Int](repeating: 0, count: part.count)
    var matched = 0
    for index in part.indices.dropFirst() {
      while matched > 0, part[index] != part[matched] { matched = borders[matched - 1] }
      if part[index] == part[matched] { matched += 1 }
      borders[index] = matched
    }
    var places: [Int] = []
    matched = 0
    for (index, byte) in bytes.enumerated() where places.count < limit {
      while matched > 0, byte != part[matched] { matched = borders[matched - 1] }
      if byte == part[matched] { matched += 1 }
      if matched == part.count {
        places.append(index + 1 - part.count)
        matched = 0
      }
    }
    return places
  }

  /// `splitlines`, without the line endings. Calls `willAppend` before each line.
  static func lines<Failure: Error>(
    _ text: String, willAppend: () throws(Failure) -> Void
  ) throws(Failure) -> [String] {
    var lines: [String] = []
    var line = String.UnicodeScalarView()
    var isAfterReturn = false
    var isOpen = false
    for scalar in text.unicodeScalars {
      if isAfterReturn, scalar == "\n" {
        isAfterReturn = false
        continue
      }
      isAfterReturn = scalar == "\r"
      switch scalar.value {
      case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
        try willAppend()
        lines.append(String(line))
        line = String.UnicodeScalarView()
        isOpen = false
      default:
        line.append(scalar)
        isOpen = true
      }
    }
    if isOpen {
      try willAppend()
      lines.append(String(line))
    }
    return lines
  }

  static func uppercase(_ text: String) -> String { text.uppercased() }

  static func lowercase(_ text: String) -> String { text.lowercased() }

  static func capitalize(_ text: String) -> String {
    guard let first = text.unicodeScalars.first else { return "" }
    return first.properties.titlecaseMapping + String(text.unicodeScalars.dropFirst()).lowercased()
  }

  /// Title case. With `byWords`, as in Jinja: a word starts after white space, a hyphen or an opening
  /// bracket. Otherwise as in Python: a word starts after any uncased character.
  static func title(_ text: String, byWords: Bool) -> String {
    var result = ""
    var isInside = false
    for scalar in text.unicodeScalars {
      if isInside {
        result += scalar.properties.lowercaseMapping
      } else {
        result += byWords ? scalar.properties.uppercaseMapping : scalar.properties.titlecaseMapping
      }
      isInside =
        byWords ? !(isSpace(scalar) || "-({[<".unicodeScalars.contains(scalar)) : scalar.properties.isCased
    }
    return result
  }

  /// `repr` of a string.
  static func quoted(_ text: String) -> String {
    let quote: Unicode.Scalar = contains(text, "'") && !contains(text, "\"") ? "\"" : "'"
    var result = String(quote)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\\": result += "\\\\"
      case quote: result += "\\" + String(quote)
      default:
        if isPrintable(scalar) {
          result.unicodeScalars.append(scalar)
        } else {
          let hexadecimal = String(scalar.value, radix: 16)
          let (mark, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
          result += "\\" + mark + String(repeating: "0", count: width - hexadecimal.count) + hexadecimal
        }
      }
    }
    result.unicodeScalars.append(quote)
    return result
  }

  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    case .spaceSeparator: scalar == " "
    default: true
    }
  }
}
