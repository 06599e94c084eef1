/// The date that `strftime_now` formats: always Friday 26 July 2024, 00:00:00, without a time zone.
///
/// A model must read in use what it read in training, so a prompt cannot depend on the clock. The date is the one
/// that Llama 3.2's template writes where there is no clock.
enum TemplateDate {
  /// Formats the date as Python's `strftime` does with the locale C.
  ///
  /// - Throws: a failure that names a directive that is not known.
  static func text(_ format: String) throws(TemplateFailure) -> String {
    var text = ""
    var rest = format.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      guard scalar == "%" else {
        text.unicodeScalars.append(scalar)
        continue
      }
      var directive = "%"
      if let flag = rest.first, flag == "-" {
        directive += "-"
        rest.removeFirst()
      }
      if let letter = rest.popFirst() { directive.unicodeScalars.append(letter) }
      guard let value = values[directive] else {
        throw TemplateFailure("'strftime_now' does not know '\(directive)'; use a date without it")
      }
      text += value
    }
    return text
  }

  private static let values: [String: String] = [
    "%a": "Fri", "%A": "Friday", "%w": "5", "%u": "5", "%d": "26", "%-d": "26", "%e": "26", "%b": "Jul",
    "%h": "Jul", "%B": "July", "%m": "07", "%-m": "7", "%y": "24", "%-y": "24", "%Y": "2024", "%C": "20",
    "%H": "00", "%-H": "0", "%k": " 0", "%I": "12", "%-I": "12", "%l": "12", "%p": "AM", "%P": "am",
    "%M": "00",
    "%-M": "0", "%S": "00", "%-S": "0", "%f": "000000", "%z": "", "%Z": "", "%j": "208", "%-j": "208",
    "%U": "29", "%W": "30", "%V": "30", "%G": "2024", "%g": "24", "%c": "Fri Jul 26 00:00:00 2024",
    "%x": "07/26/24", "%X": "00:00:00", "%D": "07/26/24", "%F": "2024-07-26", "%R": "00:00", "%T": "00:00:00",
    "%r": "12:00:00 AM", "%n": "\n", "%t": "\t", "%%": "%",
  ]
}
