/// Texts as YAML.
package enum YAMLText {
  /// A double-quoted YAML scalar (YAML 1.2, section 7.3.1) on one line.
  package static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\t": out += "\\t"
      case _ where isPrintable(scalar): out.unicodeScalars.append(scalar)
      default:
        let digits = String(scalar.value, radix: 16, uppercase: true)
        let (letter, width) = scalar.value > 0xFFFF ? ("U", 8) : ("u", 4)
        out += "\\\(letter)" + String(repeating: "0", count: width - digits.count) + digits
      }
    }
    return out + "\""
  }

  /// Whether YAML text may contain the scalar unescaped and it is not a line break.
  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x20...0x7E, 0xA0...0x2027, 0x202A...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD: true
    case 0x10000...0x10FFFF: true
    default: false
    }
  }
}
