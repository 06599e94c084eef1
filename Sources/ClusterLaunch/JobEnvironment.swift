import InputErrors

/// The job that this process was started in, as its launcher reports in the environment.
package struct JobEnvironment: Sendable, Equatable {
  /// Programs that start ranks.
  package enum Launcher: String, Sendable {
    /// Open MPI's `mpirun`.
    case openMPI = "mpirun of Open MPI"
    /// A step started by Slurm's `srun`.
    case slurm = "srun"
    /// `mpirun` of MPICH, Intel MPI or another MPI with the Hydra launcher.
    case hydra = "mpirun of MPICH or Intel MPI"
  }

  /// The program that started the process.
  package let launcher: Launcher
  /// This process's rank.
  package let rank: Int
  /// The number of ranks.
  package let size: Int

  /// Detects the job; `nil` if no launcher started this process.
  ///
  /// - Parameter environment: the process's environment variables.
  /// - Throws: `Refusal` if the launcher cannot start ranks of this program.
  package static func detect(_ environment: [String: String]) throws(Refusal) -> JobEnvironment? {
    func job(_ launcher: Launcher, _ rank: String, _ size: String) -> JobEnvironment? {
      guard let rank = environment[rank].flatMap({ Int($0) }),
        let size = environment[size].flatMap({ Int($0) })
      else { return nil }
      return JobEnvironment(launcher: launcher, rank: rank, size: size)
    }
    // Ranks that mpirun starts inside a Slurm job have both sets of variables, so Open MPI's come first. The
    // script of a Slurm batch job has SLURM_PROCID, but is not a step of several tasks.
    if let job = job(.openMPI, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE") { return job }
    if let job = job(.slurm, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS") { return job }
    if let job = job(.hydra, "PMI_RANK", "PMI_SIZE") {
      throw Refusal(
        "started as rank \(job.rank) of \(job.size) by \(Launcher.hydra.rawValue)",
        "start with Open MPI's mpirun (on Debian mpirun.openmpi), or with srun --mpi=pmix")
    }
    return nil
  }
}
