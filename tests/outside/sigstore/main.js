// Checks a proof with the verifier of Sigstore, which guards the packages of npm.
//
// Usage: node main.js MODULES KEY PROOF LEAF
//
// MODULES is the folder `node_modules`, KEY a verifier key, PROOF a c2sp.org/tlog-proof@v1 and LEAF
// the entry as it is in the log. Ends with status 1 and says why if anything is wrong.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

function main([modules, keyFile, proofFile, leafFile]) {
  // These two are not in what the package shows to its users.
  const inside = (name) => require(path.join(modules, '@sigstore/verify/dist/tlog', name));
  const { verifyCheckpoint } = inside('checkpoint.js');
  const { verifyMerkleInclusion } = inside('merkle.js');

  const [name, hint, encoded] = split(fs.readFileSync(keyFile, 'utf8').trim(), '+', 3);
  const key = Buffer.from(encoded, 'base64');
  if (key[0] !== 1 || key.length !== 33) throw new Error('not an Ed25519 verifier key');
  const prefix = Buffer.from('302a300506032b6570032100', 'hex');
  const log = {
    logID: Buffer.from(hint, 'hex'),
    baseURL: name,
    publicKey: crypto.createPublicKey({
      key: Buffer.concat([prefix, key.subarray(1)]),
      format: 'der',
      type: 'spki',
    }),
  };

  const proof = fs.readFileSync(proofFile, 'utf8');
  const [head, checkpoint] = split(proof, '\n\n', 2);
  const [header, index, ...hashes] = head.split('\n');
  if (header !== 'c2sp.org/tlog-proof@v1') throw new Error('the proof has no header');
  const entry = {
    canonicalizedBody: fs.readFileSync(leafFile),
    inclusionProof: {
      logIndex: index.replace('index ', ''),
      hashes: hashes.map((hash) => Buffer.from(hash, 'base64')),
      checkpoint: { envelope: checkpoint },
    },
  };
  verifyMerkleInclusion(entry, verifyCheckpoint(entry, [log]));
  console.log('ok');
}

// The last of `count` parts is all that is left.
function split(text, by, count) {
  const parts = text.split(by);
  return [...parts.slice(0, count - 1), parts.slice(count - 1).join(by)];
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
