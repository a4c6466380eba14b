// Processes that a test starts and that never outlive it, however it ends.
import { spawnSync } from 'node:child_process';
import { Program } from '../support.mjs';

const canBind = spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0;

/// A program that the kernel ends with the test, also when that is killed.
export class TestProcess extends Program {
  /// The command line that ties a program to the process that starts it.
  static bound(command, args) {
    return canBind ? ['setpriv', '--pdeathsig', 'KILL', command, ...args] : [command, ...args];
  }

  get running() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /// Stands still, as if its machine were not scheduled; false if it has ended.
  pause() {
    return this.running && this.child.kill('SIGSTOP');
  }
  goOn() {
    return this.running && this.child.kill('SIGCONT');
  }

  /// Ends it at once, if it runs; returns when it has ended.
  async destroy() {
    if (this.running) this.child.kill('SIGKILL');
    await this.exited;
  }
}
