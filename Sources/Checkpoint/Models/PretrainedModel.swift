import Foundation

/// A model as Hugging Face's libraries load it, with `from_pretrained`.
///
/// | what lies at the path | name | GGUF file |
/// |---|---|---|
/// | a pinned model's file | its id at Hugging Face | `nil` |
/// | another GGUF file, or a folder with one | the file's folder | the file's name |
/// | a Hugging Face folder | the folder | `nil` |
///
/// Folders are whole paths, so that they are not taken for ids.
package struct PretrainedModel: Sendable, Equatable {
  /// The id at Hugging Face, or the folder.
  package let name: String
  /// The file for `gguf_file`.
  package let ggufFile: String?
  /// The pinned model, where the file is one's.
  package let pinned: PinnedModel?

  /// Names the model at `path`.
  ///
  /// Throws `FileError` where there is none.
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
