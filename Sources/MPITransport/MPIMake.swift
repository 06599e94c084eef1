import COpenMPI
import Transport

/// Identifies the MPI implementation. The one that is loaded must be the one of the build.
package enum MPIMake {
  /// The implementation and its major version at build time: `Open MPI 4`.
  package static var built: String { "\(String(cString: cmpi_built_make())) \(cmpi_built_major())" }

  /// The version text of the loaded library: `Open MPI v4.1.4, package: …`.
  package static var running: String {
    mpiText { cmpi_running_version($0) }
  }

  /// Refuses a library of another implementation or major version.
  package static func check(built: String = built, running: String = running) throws(TransportError) {
    // "Open MPI v4.1.4, …" is "Open MPI" with major version 4; "MPICH Version: 4.0.2" is "MPICH" with 4.
    let words = running.split(whereSeparator: { " \t\n,".contains($0) })
    let version = words.first { $0.contains { $0.isNumber } } ?? ""
    let major = version.drop { !$0.isNumber }.prefix { $0.isNumber }
    let make =
      running.hasPrefix("Open MPI") ? "Open MPI" : running.hasPrefix("MPICH") ? "MPICH" : "another MPI"
    guard "\(make) \(major)" == built else {
      throw .cannotStart(
        problem: "built for \(built), but the system has loaded \(make) \(version)",
        remedy: "install \(built) on every host, or build again on this one")
    }
  }
}

/// The text that an MPI function writes.
func mpiText(_ write: (UnsafeMutablePointer<CChar>) -> Void) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(cmpi_text_size())) { text in
    text.initialize(repeating: 0)
    guard let start = text.baseAddress else { return "" }
    write(start)
    return String(cString: start)
  }
}
