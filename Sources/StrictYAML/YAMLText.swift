import Foundation
import Yams

/// A value as YAML.
///
/// - Throws: `EncodingError` if the value cannot be encoded.
package func yamlText(of value: some Encodable) throws -> String {
  let encoder = YAMLEncoder()
  encoder.options.width = 110
  // Small numbers come with 17 digits, as in 2.8019999999999999e-05. The shortest form that reads back is
  // clearer.
  return try encoder.encode(value).replacing(/\d\.\d{12,}(e[-+]?\d+)?$/.anchorsMatchLineEndings()) { match in
    Double(match.0).map { "\($0)" } ?? String(match.0)
  }
}
