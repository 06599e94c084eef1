import LanguageModels

/// The values of some rank columns at every site of an adapter, flat, in the order of `TrainableLayout`.
public struct ColumnValues: Sendable, Equatable {
  /// The columns, ascending.
  public let columns: [Int]
  /// Their values.
  public let flat: [Float]

  /// Takes the parts as they are.
  public init(columns: [Int], flat: [Float]) { (self.columns, self.flat) = (columns, flat) }

  /// Copies columns out of an adapter.
  public init(of columns: [Int], in adapter: LoRAAdapter) {
    self.columns = columns
    flat = TrainableLayout(sites: adapter.sites, columns: columns.count).gather(adapter, columns: columns)
  }

  /// Writes the columns into an adapter of the same sites; no other value of it is touched.
  public func write(to adapter: inout LoRAAdapter) {
    let layout = TrainableLayout(sites: adapter.sites, columns: columns.count)
    precondition(flat.count == layout.count, "ColumnValues: values of another adapter")
    flat.withUnsafeBufferPointer { values in
      guard let base = values.baseAddress else { return }
      layout.scatter(base, into: &adapter, columns: columns)
    }
  }
}
