/// A LoRA adapter as the reader of its format would apply it.
package protocol ExportedAdapter: Sendable {
  /// The matrices, all of rank `rank`. Values are as in the file: they may be infinite or NaN.
  var modules: [AdapterModule] { get }
  /// The rank.
  var rank: Int { get }
  /// The factor by which the reader multiplies B A.
  var scale: Double { get }
  /// Whether the reader adapts the linear layer at a module path.
  func adapts(_ path: String) -> Bool
}
