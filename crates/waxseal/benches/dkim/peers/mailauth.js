// Verifies a message again and again with mailauth, and says what that takes of processor time: all
// threads of the process, as the garbage collector has its own.
//
// Usage: node mailauth.js MESSAGE TXT_RECORDS MILLISECONDS, with mailauth in the folder of packages
// NODE_PATH. Prints `us=` microseconds for one message.

'use strict';

const fs = require('node:fs');
const { dkimVerify } = require('mailauth/lib/dkim/verify');

const [messageFile, textFile, milliseconds] = process.argv.slice(2);
const message = fs.readFileSync(messageFile);
const texts = new Map(fs.readFileSync(textFile, 'utf8').trim().split('\n').map(line => line.split('\t')));

const resolver = async (name, type) => {
    if (type === 'TXT' && texts.has(name)) {
        return [[texts.get(name)]];
    }
    throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
};

const measure = async microseconds => {
    const begin = process.cpuUsage();
    for (let count = 1; ; count++) {
        const { results } = await dkimVerify(message, { resolver });
        if (results[0].status.result !== 'pass') {
            throw new Error(JSON.stringify(results[0].status));
        }
        const used = process.cpuUsage(begin);
        if (used.user + used.system >= microseconds) {
            return (used.user + used.system) / count;
        }
    }
};

(async () => {
    // The just-in-time compiler needs its time.
    await measure(milliseconds * 1000);
    console.log(`us=${(await measure(milliseconds * 1000)).toFixed(3)}`);
})();
