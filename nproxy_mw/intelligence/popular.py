"""Names of much used packages, which others are taken for. A host may use a longer list of its own."""

from __future__ import annotations

POPULAR = frozenset(
    """
    abort-controller accepts acorn agent-base ajv angular ansi-regex ansi-styles argparse array-flatten asn1 async
    autoprefixer aws-sdk axios babel-core babel-eslint babel-jest babel-loader bcrypt bcryptjs bluebird body-parser
    bootstrap boxen brace-expansion braces browserify browserslist buffer bull busboy bytes camelcase chai chalk
    chart.js cheerio chokidar classnames cli-progress cliui clsx color color-convert color-name colors commander
    compression concurrently connect cookie cookie-parser core-js cors cosmiconfig cross-env cross-fetch cross-spawn
    crypto-js css-loader csv-parse cypress date-fns dayjs debug deep-equal deepmerge depd discord.js dompurify dotenv
    ejs electron electron-builder emoji-regex enhanced-resolve enquirer entities error-ex esbuild escape-html
    escape-string-regexp eslint eslint-config-airbnb eslint-config-prettier eslint-plugin-import eslint-plugin-react
    espree estraverse ethers event-stream eventemitter3 events execa express express-session express-validator extend
    fast-deep-equal fast-glob fast-json-stable-stringify fast-xml-parser fastify fetch-mock file-loader filelist
    firebase firebase-admin follow-redirects form-data formidable fs-extra fsevents function-bind gatsby get-stream
    glob glob-parent globals globby google-auth-library googleapis got graceful-fs graphql grunt gulp handlebars
    has-flag helmet history html-webpack-plugin http-errors http-proxy http-proxy-agent http-proxy-middleware
    https-proxy-agent husky i18next iconv-lite ignore immer immutable inflight inherits ini inquirer ioredis is-glob
    is-number is-odd is-promise isarray isomorphic-fetch istanbul jasmine jest jest-cli jquery js-tokens js-yaml jsdom
    json-schema json-stringify-safe json5 jsonwebtoken karma keyv knex koa less levn lint-staged listr2 loader-utils
    lodash lodash.get lodash.merge log-symbols lru-cache luxon marked materialize-css meow merge2 micromatch mime
    mime-types minimatch minimist mkdirp mocha moment moment-timezone mongodb mongoose morgan multer mysql mysql2 nanoid
    nanomatch natural nestjs next next-auth node-fetch node-forge node-gyp node-sass nodemailer nodemon normalize-url
    nuxt object-assign on-finished once optionator ora passport passport-jwt path-to-regexp pg picocolors pino
    playwright pluralize pm2 postcss postcss-loader preact prettier prisma process-nextick-args progress prop-types
    protobufjs proxy-from-env puppeteer qs ramda randombytes raw-body react react-dom react-hook-form react-icons
    react-native react-query react-redux react-router react-router-dom react-scripts readable-stream redis redux
    redux-thunk reflect-metadata regenerator-runtime request requirejs require-directory resolve restify rimraf rollup
    rxjs safe-buffer sass sass-loader sax semver send sequelize serialize-javascript serve-static sharp shelljs
    shortid signal-exit sinon slash socket.io socket.io-client solc source-map source-map-support sprintf-js sqlite3
    string-width strip-ansi stripe style-loader styled-components superagent supertest supports-color svelte svgo
    swagger-ui-express tailwindcss tar telegraf terser three through2 tmp ts-jest ts-loader ts-node tslib tsx tweetnacl
    twilio type-check type-fest typeorm typescript ua-parser-js uglify-js underscore undici universalify uuid validator
    viem vite vitest vue vue-loader vue-router vuex wagmi web3 webpack webpack-cli webpack-dev-server winston wrap-ansi
    wrappy write-file-atomic ws xml2js yallist yaml yargs yargs-parser zod zustand
    @angular/cli @angular/core @babel/core @babel/preset-env @babel/runtime @emotion/react @emotion/styled
    @material-ui/core @mui/material @nestjs/common @nestjs/core @reduxjs/toolkit @tanstack/react-query
    @testing-library/react @types/node @types/react @vitejs/plugin-react @vue/cli
    """.split()  # noqa: SIM905 - a literal list would have a line for each
)
