-- What Waxseal's gate says of a message, as symbols. For /etc/rspamd/lua.local.d/.
--
-- The gate writes a field Waxseal-Verdict into each message that it has judged, and seals it. With
-- the key of the seal (waxseal.conf) a field is believed only if the seal fits this message; any
-- other field of that name was written by somebody else. With an address of the API the gate is
-- asked whenever no field can be believed. With neither, nothing is believed and nothing is said.
-- rspamd must come after the gate in smtpd_milters. docs/filters.md says more.

local hash = require 'rspamd_cryptobox_hash'
local http = require 'rspamd_http'
local logger = require 'rspamd_logger'
local ucl = require 'ucl'
local util = require 'rspamd_util'

local FIELD = 'Waxseal-Verdict'
local SYMBOLS = {
  WAXSEAL_IDENTIFIED = { -2.0, 'the author is identified beyond doubt' },
  WAXSEAL_UNIDENTIFIED = { 1.0, 'the author is not identified' },
  WAXSEAL_FORGED = { 4.0, 'somebody wrote a verdict in the name of the gate' },
  WAXSEAL_UNKNOWN = { 0.0, 'the gate has not judged this message, or does not say' },
}

local settings = rspamd_config:get_all_opt('waxseal') or {}
local timeout = settings.timeout or 1.0
-- As long as a mail server keeps a message by default.
local max_age = settings.max_age or 5 * 86400

-- The 32 octets of the key, or nil.
local function read_key(path)
  local file, problem = io.open(path)
  if not file then
    logger.errx(rspamd_config, 'waxseal: no field can be believed: %s', problem)
    return nil
  end
  local key = util.decode_base64((file:read('*a'):gsub('%s', '')))
  file:close()
  if not key or #key ~= 32 then
    logger.errx(rspamd_config, 'waxseal: %s: expected 32 octets in base64', path)
    return nil
  end
  return tostring(key)
end

local key = settings.key and read_key(settings.key)

-- The tags of a field whose seal fits this message, or nil.
local function believed(task, value, message_id)
  local unfolded = value:gsub('%s+', ' '):gsub('^ ', ''):gsub(' $', '')
  local sealed, seal = unfolded:match('^(.*); seal=([%w+/=]+)$')
  if not sealed then return nil end
  if hash.create_specific_keyed(key, 'sha256', sealed .. '\n' .. message_id):base64() ~= seal then
    return nil
  end
  local tags = {}
  for name, tag in sealed:gmatch('([%w-]+)=([^;]*)') do tags[name] = tag end
  -- The seal is ours. Was it taken from another message with the same Message-ID?
  local age = os.time() - (tonumber(tags.t) or 0)
  if math.abs(age) > max_age then return nil end
  local from = (task:get_from('mime') or {})[1]
  local domain = from and (from.domain or ''):lower()
  if tags.author and domain and not domain:find('[\128-\255]') and domain ~= tags.author then
    return nil
  end
  return tags
end

local function say(task, verdict)
  if verdict and verdict.identified == 'yes' then
    task:insert_result('WAXSEAL_IDENTIFIED', 1.0, tostring(verdict.by))
  elseif verdict and verdict.identified == 'no' then
    task:insert_result('WAXSEAL_UNIDENTIFIED', 1.0, tostring(verdict.because))
  else
    task:insert_result('WAXSEAL_UNKNOWN', 1.0)
  end
end

local function ask(task, queue_id)
  http.request({
    task = task,
    url = settings.api .. '/v1/verdict?id=' .. queue_id,
    timeout = timeout,
    max_size = 65536,
    callback = function(problem, code, body)
      if problem or (code ~= 200 and code ~= 404) then
        logger.warnx(task, 'waxseal: %s: %s', settings.api, problem or code)
        return say(task, nil)
      end
      local parser = ucl.parser()
      local is_json = code == 200 and parser:parse_text(body)
      local verdict = is_json and parser:get_object()
      say(task, type(verdict) == 'table' and verdict or nil)
    end,
  })
end

local function check(task)
  local verdict
  if key then
    local first = (task:get_header_full('Message-ID') or {})[1]
    local message_id = first and first.value:gsub('^%s+', ''):gsub('%s+$', '') or ''
    for _, field in ipairs(task:get_header_full(FIELD) or {}) do
      local tags = believed(task, field.value, message_id)
      verdict = verdict or tags
      if not tags then task:insert_result('WAXSEAL_FORGED', 1.0) end
    end
  end
  local queue_id = task:get_queue_id()
  if not verdict and settings.api and queue_id and queue_id:match('^%w+$') then
    return ask(task, queue_id)
  end
  say(task, verdict)
end

if key or settings.api then
  local id = rspamd_config:register_symbol({
    name = 'WAXSEAL_CHECK', type = 'callback', callback = check,
  })
  for name, meaning in pairs(SYMBOLS) do
    rspamd_config:register_symbol({
      name = name, type = 'virtual', parent = id, group = 'waxseal',
      score = meaning[1], description = meaning[2],
    })
  end
end
