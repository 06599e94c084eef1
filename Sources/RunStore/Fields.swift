import GRDB

/// The values of one row. The file may have been damaged or written by another program, so none is trusted to have its
/// type.
struct Fields {
  private let row: Row

  init(_ row: Row) { self.row = row }

  private func value(_ column: String) -> DatabaseValue { row[column] ?? .null }

  private func wrong(_ column: String) -> StoreFile.Damage {
    StoreFile.Damage(detail: "column '\(column)' has a value of another type")
  }

  func optionalText(_ column: String) throws -> String? {
    let value = value(column)
    if value.isNull { return nil }
    guard let text = String.fromDatabaseValue(value) else { throw wrong(column) }
    return text
  }

  func text(_ column: String) throws -> String {
    guard let text = try optionalText(column) else { throw wrong(column) }
    return text
  }

  func optionalInteger(_ column: String) throws -> Int? {
    let value = value(column)
    if value.isNull { return nil }
    guard case .int64(let number) = value.storage else { throw wrong(column) }
    return Int(number)
  }

  func integer(_ column: String) throws -> Int {
    guard let number = try optionalInteger(column) else { throw wrong(column) }
    return number
  }

  /// A count, which is not negative.
  func count(_ column: String) throws -> Int {
    let number = try integer(column)
    guard number >= 0 else { throw StoreFile.Damage(detail: "column '\(column)' has a negative count") }
    return number
  }

  /// A finite number. JSON has no others.
  func optionalNumber(_ column: String) throws -> Double? {
    let value = value(column)
    if value.isNull { return nil }
    let number: Double
    switch value.storage {
    case .double(let double): number = double
    case .int64(let integer): number = Double(integer)
    default: throw wrong(column)
    }
    guard number.isFinite else { throw StoreFile.Damage(detail: "column '\(column)' has an infinite value") }
    return number
  }

  func number(_ column: String) throws -> Double {
    guard let number = try optionalNumber(column) else { throw wrong(column) }
    return number
  }
}
