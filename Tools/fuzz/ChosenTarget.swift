import Foundation
import FuzzTargets

/// The target that `CONTEXTURE_FUZZ_TARGET` names.
let target: FuzzTarget = {
  let name = ProcessInfo.processInfo.environment["CONTEXTURE_FUZZ_TARGET"] ?? ""
  guard let target = FuzzTarget(rawValue: name) else {
    let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: " ")
    FileHandle.standardError.write(Data("set CONTEXTURE_FUZZ_TARGET to one of: \(names)\n".utf8))
    exit(2)
  }
  return target
}()
