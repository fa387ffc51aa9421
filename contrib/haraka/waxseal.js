'use strict'
// A plugin of Haraka (3.1 or later): outbound mail is encrypted as Waxseal says.
//
// Copy it to plugins/, and name `waxseal` in config/plugins. config/waxseal.ini may say:
//
//     socket=/var/lib/waxseal/api     ; Waxseal's decision API
//     dane=defer                      ; or open: what happens where only DANE protects
//
// Haraka knows no TLSA records. Where a domain has MTA-STS as well, that protects it; where it
// has DANE alone, `defer` lets its mail wait, and `open` sends it as if there were nothing.

const http = require('node:http')

const TIMEOUT = 20000 // milliseconds

exports.register = function () {
    this.load_waxseal_ini()
    this.register_hook('get_mx', 'encrypt_as_told')
}

exports.load_waxseal_ini = function () {
    const ini = this.config.get('waxseal.ini', () => this.load_waxseal_ini())
    this.socket = ini.main.socket || '/var/lib/waxseal/api'
    this.dane = ini.main.dane === 'open' ? 'open' : 'defer'
}

exports.encrypt_as_told = function (next, hmail, domain) {
    ask(this.socket, domain)
        .then((document) => {
            const { word, hosts, why } = judge(document, this.dane)
            this.loginfo(`${domain}: ${word}${why ? `: ${why}` : ''}`)
            if (word === 'wait') return next(DENYSOFT, why)
            if (word === 'open') return next()
            // STARTTLS, and a certificate for the name of the host by an authority that Node
            // knows, or no delivery.
            hmail.get_force_tls = () => true
            next(OK, hosts)
        })
        .catch((error) => {
            this.logerror(`${domain}: ${error.message}: mail waits`)
            next(DENYSOFT, 'Waxseal does not answer')
        })
}

// The decision for a domain, as Waxseal documents it.
function ask(socketPath, domain) {
    return new Promise((resolve, reject) => {
        const path = `/v1/decision?domain=${encodeURIComponent(domain)}`
        const request = http.get({ socketPath, path, timeout: TIMEOUT }, (response) => {
            const parts = []
            response.on('data', (part) => parts.push(part))
            response.on('error', reject)
            response.on('end', () => {
                // 400: no domain, hence no policy.
                if (response.statusCode === 400) return resolve({ decision: 'none' })
                if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`))
                try {
                    resolve(JSON.parse(Buffer.concat(parts)))
                } catch (error) {
                    reject(error)
                }
            })
        })
        request.on('timeout', () => request.destroy(new Error('no answer in time')))
        request.on('error', reject)
    })
}

// What to do: `open` as ever, `seal` with these hosts only, or `wait`.
function judge({ decision, reasons, facts }, dane) {
    const { sts, mx } = facts || {}
    const why = (reasons || []).map((reason) => reason.text).join('; ')
    const has_dane = decision === 'dane' || decision === 'dane-only'
    if (decision === 'none' || decision === 'may') return { word: 'open' }
    if ((decision === 'secure' || has_dane) && sts?.mode === 'enforce') {
        const hosts = (mx?.hosts || [])
            .filter((host) => host.sts_match && host.dane !== 'unreachable')
            .map((host) => ({ exchange: host.host, priority: host.preference }))
        if (hosts.length) return { word: 'seal', hosts }
        return { word: 'wait', why: 'no host is allowed by the MTA-STS policy' }
    }
    if (has_dane && dane === 'open') return { word: 'open', why: 'DANE, which Haraka cannot check' }
    // `defer`, DANE alone, and overrides that have no form here.
    return { word: 'wait', why: why || decision }
}
