import Checkpoint
import Foundation
import SafeFiles

/// Identifies a model quickly, by its configuration, all norm weights and some rows of the other weights.
package enum ModelIdentity {
  /// The SHA-256 of those, in lower-case hexadecimal.
  ///
  /// - Throws: the source's error for a missing or damaged tensor.
  package static func of(_ weights: any WeightSource) throws -> String {
    let configuration = weights.configuration
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    var data = try encoder.encode(configuration)
    func append(_ values: [Float]) { values.withUnsafeBytes { data.append(contentsOf: $0) } }
    append(try weights.float32(.finalNorm))
    for layer in 0..<configuration.layerCount {
      append(try weights.float32(.attentionNorm(layer: layer)))
      append(try weights.float32(.feedForwardNorm(layer: layer)))
      for name in [WeightName.query(layer: layer), .down(layer: layer)] {
        var row = [Float](repeating: 0, count: try weights.shape(of: name)[1])
        try row.withUnsafeMutableBufferPointer {
          if let base = $0.baseAddress { try weights.readFloat32(name, rows: 0..<1, into: base) }
        }
        append(row)
      }
    }
    return FileChecksum.sha256(of: data)
  }
}
