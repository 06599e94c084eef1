import LanguageModels

/// The values of some rank columns at every target module of an adapter, flat, in the order of
/// `TrainableLayout`.
package struct ColumnValues: Sendable, Equatable {
  /// The columns, ascending.
  package let columns: [Int]
  package let flat: [Float]

  package init(columns: [Int], flat: [Float]) { (self.columns, self.flat) = (columns, flat) }

  /// Copies columns out of an adapter.
  package init(of columns: [Int], in adapter: LoRAAdapter) {
    self.columns = columns
    flat = TrainableLayout(modules: adapter.modules, columns: columns.count).gather(adapter, columns: columns)
  }

  /// Writes the columns into an adapter with the same target modules; its other values are unchanged.
  package func write(to adapter: inout LoRAAdapter) {
    let layout = TrainableLayout(modules: adapter.modules, columns: columns.count)
    precondition(flat.count == layout.count, "ColumnValues: values of another adapter")
    flat.withUnsafeBufferPointer { values in
      guard let base = values.baseAddress else { return }
      layout.scatter(base, into: &adapter, columns: columns)
    }
  }
}
