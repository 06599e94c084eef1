import Foundation

/// A model in the terms of Hugging Face's `from_pretrained`.
///
/// | path | name | GGUF file |
/// |---|---|---|
/// | a pinned model's file | its Hugging Face id | `nil` |
/// | another GGUF file, or a folder with one | the file's folder | the file's name |
/// | a Hugging Face folder | the folder | `nil` |
///
/// Folders are absolute paths, so that they are not mistaken for ids.
package struct PretrainedModel: Sendable, Equatable {
  /// The Hugging Face id or the folder.
  package let name: String
  /// The value of `gguf_file`.
  package let ggufFile: String?
  /// The pinned model, if the file is one.
  package let pinned: PinnedModel?

  /// Identifies the model at `path`.
  ///
  /// - Throws: `FileError` if there is none.
  package init(path: String) throws {
    switch try ModelFiles.Place(path) {
    case .huggingFace(let folder): (name, ggufFile, pinned) = (folder.standardizedFileURL.path, nil, nil)
    case .gguf(let file):
      pinned = try PinnedModel.held(by: file)
      if let id = pinned?.huggingFaceID {
        (name, ggufFile) = (id, nil)
      } else {
        name = file.standardizedFileURL.deletingLastPathComponent().path
        ggufFile = file.lastPathComponent
      }
    }
  }
}
