// Disks that become full or lose their power: a tmpfs, or an ext4 in a file, mounted where only the
// servers of a test see it. The mounts end with the process that holds them, which ends with the
// test.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir, until } from '../support.mjs';
import { TestProcess } from './processes.mjs';

const isRoot = process.getuid() === 0;
const namespace = isRoot ? ['-m'] : ['-rm'];
const canRun = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/// Directories of copies below a server's data: <collection id>/<shard>.<copy id>.
export function copiesBelow(directory) {
  return readdirSync(directory, { recursive: true })
    .filter((path) => /(^|\/)[0-9a-f]{32}\/\d+\.[0-9a-f]{32}$/.test(path))
    .map((path) => join(directory, path));
}

/// What this machine lets us mount; the reason if it does not.
export const mounts = {
  tmpfs: canRun('unshare', ...namespace, 'mount', '-t', 'tmpfs', 'none', '/mnt')
    ? '' : 'nothing can be mounted here',
  get image() {
    const probe = 'f=$(mktemp); trap "rm -f $f" EXIT; truncate -s 8M $f; mkfs.ext4 -q $f; ' +
      'mount -o loop $f /mnt';
    const works = isRoot && canRun('unshare', '-m', 'sh', '-ec', probe);
    return works ? '' : 'no file can be mounted here: that takes root, loop devices and mkfs.ext4';
  },
};

/// {directory, enter, run(...command)}: `script` mounts something at $1; `enter` are the arguments
/// of nsenter with which a process sees it.
async function mounted(t, script, ...more) {
  const directory = join(tempDir(), 'disk');
  mkdirSync(directory);
  const line = [...namespace, ...TestProcess.bound('sh', [
    '-ec', `${script}; echo ready; exec cat`, 'sh', directory, ...more])];
  const holder = new TestProcess('unshare', line, {});
  t.after(() => holder.destroy());
  await until(() => holder.stdout.includes('ready') || !holder.running, 'it is mounted');
  assert.ok(holder.running, holder.stderr);
  const user = isRoot ? [] : ['-U', '--preserve-credentials'];
  const enter = ['-t', String(holder.pid), '-m', ...user];
  const run = (...command) => {
    const done = spawnSync('nsenter', [...enter, ...command], { encoding: 'utf8' });
    return { ok: done.status === 0, text: done.stdout, problem: done.stderr };
  };
  return { directory, enter, run, holder };
}

/// A disk of `megabytes` that fill() leaves without a free byte, and free() gives its room back.
export async function smallDisk(t, megabytes) {
  const disk = await mounted(t, 'mount -t tmpfs -o size="$2"m none "$1"', String(megabytes));
  const ballast = join(disk.directory, 'ballast');
  return {
    ...disk,
    // It ends where there is no more room, which is the aim.
    fill: () => disk.run('sh', '-c', `cat /dev/zero > ${ballast}`),
    free: () => assert.ok(disk.run('rm', '-f', ballast).ok),
  };
}

/// A disk whose contents after a loss of power can be had: copy() is what it would hold then. The
/// image has what was synced, and nothing that only the kernel's memory has.
export async function losableDisk(t, megabytes) {
  const image = join(tempDir(), 'image');
  assert.ok(canRun('truncate', '-s', `${megabytes}M`, image));
  assert.ok(canRun('mkfs.ext4', '-q', image));
  // What nobody has asked to sync stays in memory for as long as a test takes.
  const disk = await mounted(t, 'mount -o loop,commit=600 "$2" "$1"; mkdir "$1/home"', image);
  let copies = 0;
  return {
    ...disk,
    directory: join(disk.directory, 'home'),
    copy() {
      const path = `${image}-${++copies}`;
      assert.ok(canRun('cp', '--sparse=always', image, path));
      return path;
    },
    /// The same place with the contents of a copy, as after the power is back.
    async after(path) {
      const next = await mounted(t, 'mount -o loop "$2" "$1"', path);
      const at = disk.directory;
      const bind = next.run('sh', '-ec', `mkdir -p ${at}; mount --bind ${next.directory} ${at}`);
      assert.ok(bind.ok, bind.problem);
      return { ...next, directory: join(at, 'home') };
    },
  };
}
