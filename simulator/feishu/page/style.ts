// The style of the page: Feishu's colours and measures.
const HEADS = `
.template-blue{background:#3370ff}.template-wathet{background:#14a9f8}
.template-turquoise{background:#06a58c}.template-green{background:#2ea121}
.template-yellow{background:#dca20d}.template-orange{background:#ed6d0c}
.template-red{background:#f54a45}.template-carmine{background:#eb78b8}
.template-violet{background:#b14bcd}.template-purple{background:#7f3bf5}
.template-indigo{background:#4954e6}.template-grey{background:#646a73}
.template-default{background:#eff0f1;color:#1f2329}`;

const OPTIONS = `
.option-0{background:#e1eaff;color:#144bac}.option-1{background:#d5f6f2;color:#04635b}
.option-2{background:#d9f5d6;color:#1a6f15}.option-3{background:#faedc2;color:#7a5a05}
.option-4{background:#feead2;color:#8f4b04}.option-5{background:#fde2e2;color:#a32623}
.option-6{background:#f8deef;color:#9c2b76}.option-7{background:#ece2fe;color:#5b2bb0}
.option-8{background:#eff0f1;color:#4a4e56}.option-9{background:#d9f3fd;color:#056e9e}
.option-10{background:#f6dbfd;color:#8a2aa6}`;

const LAYOUT = `
*{box-sizing:border-box}
html,body{height:100%;margin:0}
body{display:grid;grid-template-columns:64px minmax(0,1fr) 440px;
  grid-template-rows:56px minmax(0,1fr);background:#fff;color:#1f2329;
  font:14px/22px -apple-system,"PingFang SC","Microsoft YaHei","WenQuanYi Micro Hei",sans-serif}
button,input,select{font:inherit;color:inherit}
nav{grid-row:1/3;background:#ebeef5;display:flex;flex-direction:column;align-items:center;
  gap:14px;padding:14px 0;border-right:1px solid #dee0e3;font-size:11px;color:#646a73}
nav b{width:36px;height:36px;border-radius:50%;background:#3370ff;color:#fff;display:grid;
  place-items:center;font-size:15px}
nav span{display:grid;place-items:center;width:48px;padding:6px 0;border-radius:8px;
  line-height:16px}
nav span.on{background:#d9e3fc;color:#245bdb}
nav i{font-style:normal;font-size:18px;line-height:22px}
.bar{grid-column:2/4;display:flex;align-items:center;gap:12px;padding:0 20px;
  border-bottom:1px solid #dee0e3}
.bar h1{font-size:16px;margin:0}
.bar small{color:#8f959e}
.bar .who{margin-left:auto;color:#646a73}
.bar select{border:1px solid #d0d3d6;border-radius:6px;padding:3px 8px;background:#fff}
main{display:flex;flex-direction:column;min-height:0;overflow-y:auto;background:#f5f6f7;
  padding:14px 16px;gap:14px}
aside{border-left:1px solid #dee0e3;display:flex;flex-direction:column;min-height:0}
aside h2{margin:0;padding:10px 16px;border-bottom:1px solid #eff0f1;font-size:15px}
aside h2 small{color:#8f959e;font-weight:400;margin-left:8px}
#chat{overflow-y:auto;flex:1;padding:12px 14px 24px}
.empty{color:#8f959e;text-align:center;padding:40px 0}
#toast{position:fixed;top:68px;left:50%;transform:translateX(-50%);background:#fff;
  border-radius:8px;padding:9px 16px;box-shadow:0 6px 24px rgba(31,35,41,.18);display:none;
  border-left:4px solid #3370ff;z-index:9}
#toast.shown{display:block}
#toast.success{border-color:#2ea121}#toast.error{border-color:#f54a45}
#toast.warning{border-color:#ed6d0c}
dialog{border:0;border-radius:10px;padding:20px 24px;width:380px;
  box-shadow:0 10px 40px rgba(31,35,41,.25)}
dialog h3{margin:0 0 8px;font-size:16px}
dialog p{margin:0 0 18px;color:#646a73;white-space:pre-line}
dialog form{display:flex;justify-content:flex-end;gap:10px}`;

const TABLES = `
.table{background:#fff;border:1px solid #dee0e3;border-radius:8px;overflow:hidden;flex:none}
.table h2{margin:0;padding:9px 14px;font-size:14px;display:flex;align-items:center;gap:8px}
.table h2 small{color:#8f959e;font-weight:400}
.sheet{width:16px;height:16px;border-radius:3px;
  background:linear-gradient(#7f3bf5 0 0) 0 0/100% 5px no-repeat,#c9b3fb}
.add-row{margin-left:auto;border:0;background:none;color:#3370ff;cursor:pointer;font-size:13px}
.grid{overflow:auto;max-height:38vh;border-top:1px solid #dee0e3}
.grid table{border-collapse:separate;border-spacing:0;font-size:13px;min-width:100%}
.grid th,.grid td{border-right:1px solid #e6e7e9;border-bottom:1px solid #e6e7e9;padding:4px 10px;
  height:33px;white-space:nowrap;max-width:170px;overflow:hidden;text-overflow:ellipsis;
  text-align:left}
.grid thead th{position:sticky;top:0;background:#f8f9fa;font-weight:400;color:#51565d;z-index:1}
.grid thead i{font-style:normal;color:#8f959e;margin-right:6px}
.grid tbody th{color:#8f959e;font-weight:400;text-align:center;width:46px;min-width:46px;
  background:#fff}
.grid tbody tr:hover td,.grid tbody tr:hover th{background:#f5f8ff}
.grid tr>:first-child{position:sticky;left:0;z-index:1}
.grid tr>:nth-child(2){position:sticky;left:46px;z-index:1;background:#fff}
.grid thead tr>:nth-child(-n+2){z-index:2;background:#f8f9fa}
.grid td.type-2{text-align:right}
.grid td.editing{padding:0;box-shadow:inset 0 0 0 2px #3370ff}
.grid td.editing input,.grid td.editing select{border:0;outline:0;width:100%;height:31px;
  padding:0 9px;background:transparent}
.delete-row{display:none;position:absolute;inset:5px 8px;border:0;border-radius:4px;
  background:#fde2e2;color:#d83931;cursor:pointer}
tr:hover .delete-row{display:block}
.option{border-radius:10px;padding:1px 9px;margin-right:4px;font-size:12px}
.tick{color:#3370ff;font-weight:700}${OPTIONS}`;

const CHAT = `
.message{display:flex;gap:10px;margin-bottom:16px}
.avatar{flex:none;width:36px;height:36px;border-radius:50%;background:#3370ff;color:#fff;
  display:grid;place-items:center;font-weight:700}
.avatar-bot{background:#ed6d0c}
.content{min-width:0;flex:1}
.from{margin:0 0 4px;color:#646a73;font-size:12px;line-height:18px}
.from i{font-style:normal;background:#faedc2;color:#7a5a05;border-radius:3px;padding:0 4px;
  margin:0 6px;font-size:11px}
.edited{margin-left:8px;color:#8f959e}
.card{border:1px solid #dee0e3;border-radius:8px;overflow:hidden;background:#fff}
.card header{padding:10px 14px;color:#fff;font-weight:600;font-size:15px}
.card header small{display:block;font-weight:400;opacity:.9}
.card header em{font-style:normal;font-size:12px;font-weight:400;background:rgba(255,255,255,.25);
  border-radius:4px;padding:1px 6px;margin-left:8px}
.card .body,.form{display:flex;flex-direction:column;gap:8px}
.card .body{padding:12px 14px}
.card hr{border:0;border-top:1px solid #dee0e3;margin:2px 0;width:100%}
.markdown{overflow-wrap:anywhere}
.markdown .item::before{content:"•";margin-right:7px;color:#3370ff}
.markdown a{color:#245bdb;text-decoration:none}
.markdown code{background:#f2f3f5;border-radius:3px;padding:1px 4px;font-size:13px}
.at{color:#245bdb}
.columns{display:flex;gap:8px;flex-wrap:wrap}
.columns>div{min-width:0;display:flex;flex-direction:column;gap:6px}
.button{border:1px solid #d0d3d6;border-radius:6px;background:#fff;padding:4px 14px;cursor:pointer;
  text-decoration:none;color:#1f2329;align-self:flex-start;display:inline-block}
.button:hover{background:#f2f3f5}
.button:disabled{color:#bbbfc4;cursor:not-allowed;border-color:#dee0e3;background:#f5f6f7}
.button-primary{border-color:#3370ff;color:#3370ff}
.button-danger{border-color:#f54a45;color:#f54a45}
.button-primary_filled{background:#3370ff;border-color:#3370ff;color:#fff}
.button-primary_filled:hover{background:#245bdb}
.button-danger_filled{background:#f54a45;border-color:#f54a45;color:#fff}
.button-danger_filled:hover{background:#d83931}
.button-text,.button-primary_text,.button-danger_text{border-color:transparent;padding:4px 6px}
.button-primary_text{color:#3370ff}.button-danger_text{color:#f54a45}
.input span{display:block;color:#646a73;margin-bottom:3px;font-size:13px}
.input input{width:100%;border:1px solid #d0d3d6;border-radius:6px;padding:4px 10px}
.input input:focus{border-color:#3370ff;outline:0}
.star{color:#f54a45;margin-left:3px}${HEADS}`;

export const STYLE = LAYOUT + TABLES + CHAT;
