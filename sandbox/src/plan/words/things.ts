/** Things we draw: as a modelled solid where we have one, as an icon in the round otherwise. */

const modelled = `
dog: dog puppy retriever labrador corgi beagle poodle husky doggo pup 狗 小狗 金毛 金毛犬 كلب कुत्ता perro perrito chien hund welpe cachorro cane собака щенок 犬 子犬 개 강아지
cat: cat kitten tabby kitty feline 猫 小猫 猫咪 قطة قط बिल्ली gato gata gatito chat chaton katze kätzchen gatto кошка кот котёнок 子猫 고양이
headphones: headphones headphone headset earphones 耳机 سماعة سماعات हेडफोन हेडफ़ोन auriculares casque kopfhörer cuffie наушники ヘッドホン ヘッドフォン 헤드폰
bottle: perfume bottle cologne fragrance flask 香水 瓶子 瓶 عطر زجاجة बोतल इत्र perfume botella parfum bouteille flasche profumo bottiglia духи бутылка 瓶 ボトル 향수 병
mug: mug cup coffee latte espresso cappuccino tea teacup 咖啡 杯子 茶 قهوة शاي कॉफ़ी कॉफी चाय कप café taza tasse kaffee caffè tazza кофе чашка чай コーヒー カップ お茶 커피 컵
jar: jar cream-jar moisturizer skincare cosmetic cosmetics lotion 面霜 罐子 كريم क्रीम crema tarro pot tiegel крем クリーム
phone: phone smartphone iphone cellphone mobile 手机 هاتف फ़ोन फोन teléfono móvil téléphone handy telefono телефон 電話 スマホ 전화 핸드폰
sphere: sphere ball orb marble-ball 球 球体 كرة गेंद esfera pelota sphère balle kugel sfera шар мяч 球 ボール 공
car: car sedan automobile sportscar 汽车 车 轿车 سيارة कार गाड़ी coche carro auto voiture wagen macchina машина автомобиль 車 자동차
apple: apple 苹果 تفاحة सेब manzana pomme apfel mela maçã яблоко りんご リンゴ 사과
house: house cottage home 房子 小屋 بيت منزل घर मकान casa maison haus дом 家 집
tree: tree oak 树 شجرة पेड़ वृक्ष árbol arbre baum albero árvore дерево 木 나무
robot: robot android droid 机器人 روبوت रोबोट roboter робот ロボット 로봇
rocket: rocket spaceship spacecraft 火箭 صاروخ रॉकेट cohete fusée rakete razzo foguete ракета ロケット 로켓
cake: cake birthday-cake chocolate-cake 蛋糕 كعكة केक pastel-de gâteau kuchen torta bolo торт ケーキ 케이크
lamp: lamp 台灯 灯 مصباح दीपक lámpara lampe lampada лампа ランプ 램프
plant: plant houseplant succulent 植物 盆栽 نبات पौधा planta plante pflanze pianta растение 植物 식물
chair: chair armchair 椅子 كرسي कुर्सी silla chaise stuhl sedia cadeira стул кресло 椅子 의자
bird: bird sparrow robin bluebird canary 鸟 小鸟 طائر عصفور पक्षी चिड़िया pájaro oiseau vogel uccello pássaro птица 鳥 새
fish: fish goldfish clownfish 鱼 金鱼 سمكة मछली pez pescado poisson fisch pesce peixe рыба 魚 물고기
mushroom: mushroom toadstool 蘑菇 فطر मशरूम seta hongo champignon pilz fungo гриб キノコ 버섯
hotairballoon: hotairballoon 热气球 globo-aerostático montgolfière heißluftballon mongolfiera 熱気球 열기구
balloon: balloon 气球 بالون गुब्बारा globo ballon palloncino воздушный-шар 風船 풍선
burger: burger hamburger cheeseburger 汉堡 برجر बर्गर hamburguesa бургер ハンバーガー 햄버거
book: book novel notebook 书 书本 كتاب किताब पुस्तक libro livre buch livro книга 本 책
watch: wristwatch watch 手表 ساعة-يد घड़ी reloj montre armbanduhr orologio часы 腕時計 시계
vase: vase pottery 花瓶 مزهرية फूलदान jarrón vaso ваза 花瓶
sofa: sofa couch 沙发 أريكة सोफ़ा सोफा sofá canapé divano диван ソファ 소파
snowman: snowman 雪人 雪だるま
rabbit: rabbit bunny hare 兔子 أرنب खरगोश conejo lapin hase kaninchen coniglio кролик заяц うさぎ ウサギ 토끼
bear: bear teddy teddy-bear 熊 دب भालू oso ours bär orso urso медведь 熊 クマ 곰
fox: fox vixen 狐狸 ثعلب लोमड़ी zorro renard fuchs volpe raposa лиса キツネ 狐 여우
wolf: wolf 狼 ذئب भेड़िया lobo loup lupo волк オオカミ 늑대
lion: lion lioness 狮子 أسد शेर león löwe leone leão лев ライオン 사자
tiger: tiger tigress 老虎 虎 نمر बाघ tigre тигр トラ 호랑이
panda: panda 熊猫 باندا पांडा панда パンダ 판다
elephant: elephant 大象 فيل हाथी elefante éléphant elefant слон ゾウ 象 코끼리
horse: horse pony stallion foal 马 حصان घोड़ा caballo cheval pferd cavallo cavalo лошадь конь 馬 말
unicorn: unicorn 独角兽 unicornio licorne einhorn unicorno единорог ユニコーン 유니콘
owl: owl 猫头鹰 بومة उल्लू búho hibou eule gufo coruja сова フクロウ 부엉이
butterfly: butterfly 蝴蝶 فراشة तितली mariposa papillon schmetterling farfalla borboleta бабочка 蝶 나비
dragon: dragon wyvern 龙 تنين ड्रैगन dragón drache drago dragão дракон ドラゴン 竜 용
lighthouse: lighthouse beacon 灯塔 منارة प्रकाशस्तंभ faro phare leuchtturm farol маяк 灯台 등대
castle: castle fortress palace 城堡 宫殿 قلعة किला castillo château schloss burg castello castelo замок 城 お城 성
cabin: cabin log-cabin chalet lodge hut 木屋 小木屋 كوخ cabaña chalet hütte blockhütte baita хижина 山小屋 오두막
sailboat: sailboat boat yacht sailing-boat dinghy 帆船 船 小船 قارب مركب नाव velero barco barca bateau voilier segelboot veleiro barco лодка парусник 帆船 ヨット 돛단배 배
bicycle: bicycle bike 自行车 دراجة साइकिल bicicleta vélo fahrrad bici велосипед 自転車 자전거
sneaker: sneaker shoe 运动鞋 鞋子 حذاء जूता zapatilla zapato chaussure turnschuh schuh scarpa sapato кроссовки кроссовок туфля スニーカー 靴 운동화 신발
cupcake: cupcake muffin chocolate-cupcake chocolate-muffin 纸杯蛋糕 कपकेक magdalena капкейк カップケーキ 컵케이크
pizza: pizza 披萨 比萨 بيتزا पिज़्ज़ा пицца ピザ 피자
sunflower: sunflower 向日葵 عباد-الشمس सूरजमुखी girasol tournesol sonnenblume girasole подсолнух ひまわり 向日葵 해바라기
wineglass: wine wineglass wine-glass goblet chardonnay merlot 红酒 葡萄酒 نبيذ vino vin wein vinho вино ワイン 와인
astronaut: astronaut cosmonaut spaceman 宇航员 رائد अंतरिक्षयात्री astronauta astronaute астронавт космонавт 宇宙飛行士 우주비행사
tulip: tulip 郁金香 توليب ट्यूलिप tulipán tulipe tulpe tulipano tulipa тюльпан チューリップ 튤립
penguin: penguin 企鹅 بطريق पेंगुइन pingüino pingouin pinguin pinguino пингвин ペンギン 펭귄
`

/** A word's solid model, by name. */
export const models = new Map<string, string>()
for (const line of modelled.trim().split('\n')) {
  const [model, words] = line.split(': ') as [string, string]
  for (const word of words.split(' ')) if (!models.has(word)) models.set(word, model)
}

/** Breeds and makes that bring a colour along. */
export const bornColours = new Map([
  ['retriever', '#d9a04e'], ['labrador', '#d9b67c'], ['corgi', '#cf8a45'], ['beagle', '#b8763e'], ['金毛', '#d9a04e'], ['金毛犬', '#d9a04e'],
  ['husky', '#9aa0a8'], ['chocolate-cake', '#6b4028'], ['chocolate-cupcake', '#6b4028'], ['chocolate-muffin', '#6b4028'], ['goldfish', '#ee8a2b'], ['clownfish', '#ee7d2b'], ['bluebird', '#3f7fd0'], ['canary', '#f5d04a'], ['robin', '#b8603a'],
])

/** Icon code points for common words, where the lexicon would choose another or none. */
const iconWords = `
motorcycle 1f3cd | truck 1f69a | bus 1f68c | taxi 1f695 | ship 1f6a2
eagle 1f985 | whale 1f40b | dolphin 1f42c | shark 1f988
bee 1f41d | sushi 1f363 | strawberry 1f353 | lemon 1f34b | banana 1f34c | orange 1f34a | grape 1f347 | cherry 1f352 | peach 1f351 | pear 1f350 | pineapple 1f34d | watermelon 1f349
photocamera 1f4f7 | cricketbat 1f3cf | computermouse 1f5b1 | christmastree 1f384 | eiffeltower 1f5fc | tokyotower 1f5fc | stadium 1f3df | boot 1f97e | rose 1f339 | 玫瑰 1f339 | وردة 1f339 | गुलाब 1f339 | camera 1f4f7 | laptop 1f4bb | computer 1f4bb | guitar 1f3b8 | piano 1f3b9 | cactus 1f335 | leaf 1f343 | star 2b50 | heart 2764 | fire 1f525 | diamond 1f48e | crown 1f451
backpack 1f392 | handbag 1f45c | purse 1f45b | gift 1f381 | umbrella 2602 | tent 26fa | teapot 1fad6 | bread 1f35e | croissant 1f950 | donut 1f369 | doughnut 1f369 | cookie 1f36a | avocado 1f951
ring 1f48d | sunglasses 1f576 | dress 1f457 | jacket 1f9e5 | tshirt 1f455 | t-shirt 1f455 | turtle 1f422 | octopus 1f419 | flamingo 1f9a9 | parrot 1f99c | train 1f686 | airplane 2708 | plane 2708 | helicopter 1f681
dinosaur 1f996 | crab 1f980 | snail 1f40c | spider 1f577 | frog 1f438 | monkey 1f412 | gorilla 1f98d | giraffe 1f992 | zebra 1f993 | camel 1f42a | cow 1f404 | pig 1f416 | sheep 1f411 | goat 1f410
chicken 1f414 | duck 1f986 | swan 1f9a2 | peacock 1f99a | turkey 1f983 | mouse 1f401 | hamster 1f439 | squirrel 1f43f | hedgehog 1f994 | bat 1f987 | snake 1f40d | crocodile 1f40a | koala 1f428 | kangaroo 1f998 | deer 1f98c
beer 1f37a | cocktail 1f378 | ice-cream 1f366 | chocolate 1f36b | candy 1f36c | honey 1f36f | cheese 1f9c0 | egg 1f95a | taco 1f32e | ramen 1f35c | noodle 1f35c | salad 1f957 | corn 1f33d | carrot 1f955 | tomato 1f345
windmill 1f3e1 | tractor 1f69c | ambulance 1f691 | ufo 1f6f8 | alien 1f47d | ghost 1f47b | skull 1f480 | pumpkin 1f383 | lantern 1f3ee | candle 1f56f | key 1f511 | clock 1f570 | hourglass 23f3
violin 1f3bb | drum 1f941 | trumpet 1f3ba | saxophone 1f3b7 | microphone 1f3a4 | television 1f4fa | tv 1f4fa | radio 1f4fb | telescope 1f52d | microscope 1f52c | hammer 1f528 | wrench 1f527 | scissors 2702 | pen 1f58a
chess 265f | trophy 1f3c6 | medal 1f3c5 | football 26bd | soccer 26bd | basketball 1f3c0 | tennis 1f3be | baseball 26be | skateboard 1f6f9 | surfboard 1f3c4 | bed 1f6cf | bathtub 1f6c1 | door 1f6aa | mirror 1fa9e
recycle 267b | droplet 1f4a7 | chart 1f4c8 | lightbulb 1f4a1 | bulb 1f4a1 | money 1f4b0 | lock 1f512 | envelope 2709 | rainbow 1f308 | snowflake 2744 | anchor 2693 | compass 1f9ed | globe 1f30d | earth 1f30d | planet 1fa90
草莓 1f353 | 柠檬 1f34b | 花 1f338 | 骆驼 1f42a | 吉他 1f3b8 | 相机 1f4f7
جمل 1f42a | فراولة 1f353 | ليمون 1f34b | ऊंट 1f42a | मोर 1f99a
flor 1f33c | fresa 1f353 | limón 1f34b | fleur 1f33c | fraise 1f353 | citron 1f34b
blume 1f33c | erdbeere 1f353 | zitrone 1f34b | цветок 1f33c
`

export const icons = new Map<string, string>()
for (const entry of iconWords.trim().split(/[|\n]/)) {
  const [word, code] = entry.trim().split(' ') as [string, string]
  icons.set(word, code)
}

/** An icon for a model's name, for flat work: logos, patterns, infographics. */
export const iconOfModel: Readonly<Record<string, string>> = {
  dog: '1f415', cat: '1f408', headphones: '1f3a7', bottle: '1f9f4', mug: '2615', jar: '1fad9', phone: '1f4f1', sphere: '26bd', car: '1f697', apple: '1f34e', house: '1f3e0',
  tree: '1f333', robot: '1f916', rocket: '1f680', cake: '1f382', lamp: '1f4a1', plant: '1fab4', chair: '1fa91', bird: '1f426', fish: '1f41f', mushroom: '1f344', balloon: '1f388',
  burger: '1f354', book: '1f4d6', watch: '231a', vase: '1f3fa', sofa: '1f6cb', snowman: '26c4', rabbit: '1f407', bear: '1f43b', penguin: '1f427',
  fox: '1f98a', wolf: '1f43a', lion: '1f981', tiger: '1f405', panda: '1f43c', elephant: '1f418', horse: '1f40e', unicorn: '1f984', owl: '1f989', butterfly: '1f98b', dragon: '1f409', castle: '1f3f0',
  cabin: '1f3e1', hotairballoon: '1f388', sailboat: '26f5', bicycle: '1f6b2', sneaker: '1f45f', cupcake: '1f9c1', pizza: '1f355', sunflower: '1f33b', wineglass: '1f377', astronaut: '1f680', tulip: '1f337', lighthouse: '1f5fc',
}
