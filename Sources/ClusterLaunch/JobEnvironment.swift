import InputErrors

/// The job that this process was started in, as its launcher says in the environment.
package struct JobEnvironment: Sendable, Equatable {
  /// Programs that start ranks.
  package enum Launcher: String, Sendable {
    /// `mpirun` of Open MPI.
    case openMPI = "mpirun of Open MPI"
    /// A step that Slurm's `srun` started.
    case slurm = "srun"
    /// `mpirun` of MPICH, Intel MPI or another MPI with the Hydra launcher.
    case hydra = "mpirun of MPICH or Intel MPI"
  }

  /// What started the process.
  package let launcher: Launcher
  /// This process's rank.
  package let rank: Int
  /// The number of ranks.
  package let size: Int

  /// Finds the job; `nil` for a process that no launcher started.
  ///
  /// - Parameter environment: the process's environment variables.
  /// - Throws: `Refusal` for a launcher that cannot start ranks of this program.
  package static func detect(_ environment: [String: String]) throws(Refusal) -> JobEnvironment? {
    func job(_ launcher: Launcher, _ rank: String, _ size: String) -> JobEnvironment? {
      guard let rank = environment[rank].flatMap({ Int($0) }),
        let size = environment[size].flatMap({ Int($0) })
      else { return nil }
      return JobEnvironment(launcher: launcher, rank: rank, size: size)
    }
    // Ranks that mpirun started inside a Slurm job have both, so Open MPI's come first. The script of a Slurm
    // batch job has SLURM_PROCID, but is no step of several tasks.
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
