import ClusterLaunch
import InputErrors
import Testing

@Suite struct JobEnvironmentTests {
  private let openMPI = ["OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4"]
  private let slurm = ["SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "8", "SLURM_NTASKS": "9"]

  @Test func launchersAreRecognised() throws {
    #expect(try JobEnvironment.detect([:]) == nil)
    let job = try #require(try JobEnvironment.detect(openMPI))
    #expect((job.launcher, job.rank, job.size) == (.openMPI, 2, 4))
    let step = try #require(try JobEnvironment.detect(slurm))
    #expect((step.launcher, step.rank, step.size) == (.slurm, 1, 8))
    #expect(try JobEnvironment.detect(slurm.merging(openMPI) { $1 })?.launcher == .openMPI)
  }

  @Test func theScriptOfABatchJobIsNoRank() throws {
    #expect(
      try JobEnvironment.detect(["SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "7"]) == nil)
  }

  @Test func anotherMPIsLauncherIsRefused() {
    let error = #expect(throws: Refusal.self) {
      try JobEnvironment.detect(["PMI_RANK": "0", "PMI_SIZE": "2"])
    }
    #expect(
      error?.description == "started as rank 0 of 2 by mpirun of MPICH or Intel MPI; "
        + "start with Open MPI's mpirun (on Debian mpirun.openmpi), or with srun --mpi=pmix")
  }
}
