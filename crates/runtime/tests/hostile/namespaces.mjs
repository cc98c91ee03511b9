// expect: any
export default {
  key: 'hostile', version: '0.0.1', type: 'action', props: {},
  async run({ $ }) {
    const { spawnSync } = await import('node:child_process');
    const told = [];
    for (const line of ['unshare -Ur cat %FILE%', 'mount -t tmpfs x /tmp', 'nsenter -t 1 -m cat %FILE%', 'su -c id', 'chroot / id'])
      told.push(String(spawnSync('/bin/sh', ['-c', `${line} 2>&1`]).stdout));
    if (told.some((it) => /uid=0/.test(it))) throw new Error(`BREACH ${told}`); return told;
  },
};
